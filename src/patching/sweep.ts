/**
 * The exact sweep: clean run, then the base run and every cell as one growing batch, in chunks that fit the device.
 * A cell has the same bits in any batch, in any chunk, or alone.
 */
import { type Answers, logitScores } from "../kernels/logit-scores.ts";
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import { untapped } from "../models/scope.ts";
import type { Cell } from "./cell.ts";
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
  readonly answers: Answers;
  /** Which of the two runs is the clean one: denoising patches the corrupt run, noising the clean one. */
  readonly direction: "denoising" | "noising";
}

/** A pair and the cells that its base run is patched with. */
export interface Patched {
  readonly pair: Pair;
  readonly cells: readonly Cell[];
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
  const [result] = await sweepPairs(model, [{ pair, cells }], options);
  return result!;
}

/**
 * Several pairs in one growing batch, which is worth while where each has few rows; they are alike (`formOf`).
 * @throws UserError as `sweepPair`
 */
export async function sweepPairs(
  model: Model,
  patched: readonly Patched[],
  options: SweepOptions = {},
): Promise<SweepResult[]> {
  const { gpu } = model;
  const [{ pair, cells }] = patched as [Patched];
  if (patched.length > 1 && new Set(patched.map(formOf)).size > 1)
    throw new Error("sweepPairs: got prompts of different lengths or cells at different places, expected pairs alike");
  const prefix = prefixes(model, pair);
  const sources = openSources(model, patched, options, prefix);
  const bases = patched.map((one) => one.pair.base);
  try {
    const swept = patched.map((one) => ({
      rows: new Array<LogitRow>(one.cells.length),
      changed: new Array<boolean>(one.cells.length),
    }));
    let unpatched: readonly LogitRow[] = [];
    let done = 0;
    for (const { chunk, single } of chunksOf(model, patched, prefix, options.chunk)) {
      options.signal?.throwIfAborted();
      const firstToken = prefix.ofBase(chunk.map((i) => cells[i]!));
      const chosen = patched.map((one) => chunk.map((i) => prefix.without(one.cells[i]!, firstToken, sources.first)));
      const tap = spawnTap(gpu, chosen, sources.of, single);
      try {
        const table = gpu.frame(() =>
          logitScores(gpu, model.forward(bases, tap, { firstToken }), sources.clean, sources.answers),
        );
        const found = logitRows(await gpu.read(table).finally(() => gpu.release(table)));
        const moved = await tap.changed();
        const each = found.length / patched.length;
        unpatched = patched.map((_, i) => found[i * each]!);
        swept.forEach(({ rows, changed }, one) => {
          chunk.forEach((cell, i) => {
            const row = tap.rows[i]! < each ? tap.rows[i]! : 0; // no row of its own: the answer does not depend on its site
            rows[cell] = found[one * each + row]!;
            changed[cell] = moved[one]![i]!;
          });
        });
      } finally {
        tap.release();
      }
      done += chunk.length * patched.length;
      options.onProgress?.(done);
    }
    const others = await sources.otherRows();
    for (const [one, { rows }] of swept.entries())
      await checkFinite(model, patched, one, [unpatched[one]!, others[one]!, ...rows], options);
    return swept.map(({ rows, changed }, one): SweepResult => {
      const [base, other] = [unpatched[one]!, others[one]!];
      const [clean, corrupt] = pair.direction === "denoising" ? [other, base] : [base, other];
      return { clean, corrupt, cells: rows, changed };
    });
  } finally {
    sources.release();
  }
}

/**
 * What pairs that share a batch have in common: the lengths of their prompts, and which elements their cells replace. What
 * comes in their place may differ.
 */
export const formOf = ({ pair, cells }: Patched): string =>
  JSON.stringify([
    pair.direction,
    pair.base.ids.length,
    pair.other.ids.length,
    cells.map((cell) => cell.map(({ site, spans }) => [site, spans.map(({ to, length }) => [to, length])])),
  ]);

/**
 * One cell by a forward of its own with nothing reused: the oracle that sweeps are tested against.
 * Returns its full logits [V] beside the row.
 */
export async function singleCell(model: Model, pair: Pair, cell: Cell, options: SweepOptions = {}) {
  const { gpu } = model;
  const sources = openSources(model, [{ pair, cells: [cell] }], options);
  const tap = replaceTap(gpu, cell, sources.of);
  try {
    const { logits, table } = gpu.frame(() => {
      const made = model.forward(pair.base, tap);
      return { logits: made, table: logitScores(gpu, made, sources.clean, sources.answers) };
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

/**
 * The base run's row, the other's and those of the cells of one pair. Where the values of one of several first break is seen
 * when it is swept alone.
 */
async function checkFinite(
  model: Model,
  patched: readonly Patched[],
  one: number,
  rows: readonly LogitRow[],
  options: SweepOptions,
): Promise<void> {
  const broken = rows.findIndex(({ notFinite }) => notFinite > 0);
  if (broken === -1) return;
  const { pair, cells } = patched[one]!;
  const run = broken === 0 ? "the base run" : broken === 1 ? "the other run" : `cell ${broken - 2}`;
  const count = `${rows[broken]!.notFinite} logits are NaN or infinite`;
  if (patched.length > 1)
    throw new UserError(`pair ${one} of a batch, ${run}: ${count}; sweep it alone to see where they come from`);
  const site = await brokenSite(model, pair, broken === 1 ? pair.other : pair.base, cells[broken - 2], options);
  throw new UserError(`${run}: ${count}; the first such values are at ${site}`);
}

async function brokenSite(
  model: Model,
  pair: Pair,
  input: Input,
  cell: Cell | undefined,
  options: SweepOptions,
): Promise<string> {
  if (!cell) return firstBrokenSite(model, input, untapped);
  const sources = openSources(model, [{ pair, cells: [cell] }], options);
  const tap = replaceTap(model.gpu, cell, sources.of);
  try {
    return await firstBrokenSite(model, input, tap);
  } finally {
    tap.release();
    sources.release();
  }
}
