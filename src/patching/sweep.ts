/**
 * The exact sweep: clean run, then the base run and every cell as one growing batch, in chunks that fit the device.
 * A cell has the same bits in any batch, in any chunk, or alone.
 */
import { logitScores } from "../kernels/logit-scores.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import { untapped } from "../models/scope.ts";
import type { Cell, Edit } from "./cell.ts";
import { chunksOf } from "./chunks.ts";
import { firstBrokenSite } from "./finite.ts";
import { prefixes } from "./prefix.ts";
import { type LogitRow, logitRows } from "./score.ts";
import { openSources } from "./sources.ts";
import { replaceTap, spawnTap } from "./spawn.ts";
import type { StoredTensor } from "./stored.ts";

export interface Pair {
  /** The run that is patched; `other` is where values come from by default. */
  readonly base: Input;
  readonly other: Input;
  /** Ids of the correct and the incorrect answer. */
  readonly answers: readonly [number, number];
  /** Which of the two runs is the clean one: denoising patches the corrupt run, noising the clean one. */
  readonly direction: "denoising" | "noising";
}

export interface SweepOptions {
  /** Tensors that edits name as their source. */
  readonly stored?: ReadonlyMap<string, StoredTensor>;
  /** Further runs that edits name as their source. */
  readonly runs?: ReadonlyMap<string, Input>;
  readonly signal?: AbortSignal;
  /** Rows in a batch; default: as many as fit. The numbers do not depend on it. */
  readonly chunk?: number;
  readonly onProgress?: (cells: number) => void;
}

export interface SweepResult {
  readonly clean: LogitRow;
  readonly corrupt: LogitRow;
  /** In the order of the cells. */
  readonly cells: readonly LogitRow[];
  /** For each cell: did its edits change any bit of an activation? */
  readonly changed: readonly boolean[];
}

/** @throws UserError if a logit is NaN or infinite, naming the first site where one appears */
export async function sweepPair(
  model: Model,
  pair: Pair,
  cells: readonly Cell[],
  options: SweepOptions = {},
): Promise<SweepResult> {
  const { gpu } = model;
  const prefix = prefixes(model, pair);
  const sources = openSources(model, pair, cells, options, prefix);
  try {
    const clean = pair.direction === "denoising" ? sources.otherLogits : sources.baseLogits;
    const rows: LogitRow[] = new Array(cells.length);
    const changed: boolean[] = new Array(cells.length);
    let base: LogitRow | undefined;
    let done = 0;
    for (const { chunk, single } of chunksOf(model, pair, cells, prefix, options.chunk)) {
      options.signal?.throwIfAborted();
      const whole = chunk.map((i) => cells[i]!);
      const firstToken = prefix.ofBase(whole);
      const chosen = whole.map((cell) => prefix.without(cell, firstToken, sources.first));
      const tap = spawnTap(gpu, chosen, sources.of, single);
      try {
        const table = gpu.frame(() =>
          logitScores(gpu, model.forward(pair.base, tap, { firstToken }), clean, pair.answers),
        );
        const found = logitRows(await gpu.read(table).finally(() => gpu.release(table)));
        const moved = await tap.changed();
        base ??= found[0]!;
        chunk.forEach((cell, i) => {
          rows[cell] = found[tap.rows[i]!] ?? found[0]!; // no row of its own: the answer does not depend on its site
          changed[cell] = moved[i]!;
        });
      } finally {
        tap.release();
      }
      done += chunk.length;
      options.onProgress?.(done);
    }
    const other = await sources.otherRow(clean);
    await checkFinite(model, pair, cells, sources.of, [base!, other, ...rows]);
    const [cleanRow, corruptRow] = pair.direction === "denoising" ? [other, base!] : [base!, other];
    return { clean: cleanRow, corrupt: corruptRow, cells: rows, changed };
  } finally {
    sources.release();
  }
}

/**
 * One cell by a forward of its own with nothing reused: the oracle that sweeps are tested against.
 * Returns its full logits [V] beside the row.
 */
export async function singleCell(model: Model, pair: Pair, cell: Cell, options: SweepOptions = {}) {
  const { gpu } = model;
  const sources = openSources(model, pair, [cell], options);
  const tap = replaceTap(gpu, cell, sources.of);
  try {
    const clean = pair.direction === "denoising" ? sources.otherLogits : sources.baseLogits;
    const { logits, table } = gpu.frame(() => {
      const made = model.forward(pair.base, tap);
      return { logits: made, table: logitScores(gpu, made, clean, pair.answers) };
    });
    try {
      const [row] = logitRows(await gpu.read(table));
      return { row: row!, logits: await gpu.read(logits) };
    } finally {
      gpu.release(logits, table);
    }
  } finally {
    tap.release();
    sources.release();
  }
}

async function checkFinite(
  model: Model,
  pair: Pair,
  cells: readonly Cell[],
  sources: (edit: Edit) => Tensor,
  rows: LogitRow[],
) {
  const broken = rows.findIndex(({ notFinite }) => notFinite > 0);
  if (broken === -1) return;
  const input = broken === 1 ? pair.other : pair.base;
  const tap = broken < 2 ? untapped : replaceTap(model.gpu, cells[broken - 2]!, sources);
  const site = await firstBrokenSite(model, input, tap);
  const run = broken === 0 ? "the base run" : broken === 1 ? "the other run" : `cell ${broken - 2}`;
  throw new UserError(
    `${run}: ${rows[broken]!.notFinite} logits are NaN or infinite; the first such values are at ${site}`,
  );
}
