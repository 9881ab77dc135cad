/**
 * The exact sweep: clean run, then the base run and every cell as one growing batch, in chunks that fit the device.
 * A cell has the same bits in any batch, in any chunk, or alone.
 */
import { logitScores } from "../kernels/logit-scores.ts";
import { size, type Tensor } from "../kernels/tensor.ts";
import { type CaptureTap, captureTap } from "../models/capture.ts";
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import { untapped } from "../models/scope.ts";
import type { Cell, Edit } from "./cell.ts";
import { firstBrokenSite } from "./finite.ts";
import { length } from "./positions.ts";
import { type Prefixes, prefixes } from "./prefix.ts";
import { type LogitRow, logitRows } from "./score.ts";
import { replaceTap, spawnTap } from "./spawn.ts";
import { type StoredTensor, storedSources } from "./stored.ts";

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
  const sources = await openSources(model, pair, cells, options, prefix);
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
        const found = logitRows(await gpu.read(table));
        gpu.release(table);
        const moved = await tap.changed();
        base ??= found[0]!;
        chunk.forEach((cell, i) => {
          rows[cell] = found[tap.rows[i]!]!;
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
  const sources = await openSources(model, pair, [cell], options);
  const tap = replaceTap(gpu, cell, sources.of);
  const clean = pair.direction === "denoising" ? sources.otherLogits : sources.baseLogits;
  const logits = model.forward(pair.base, tap);
  const table = logitScores(gpu, logits, clean, pair.answers);
  try {
    const [row] = logitRows(await gpu.read(table));
    return { row: row!, logits: await gpu.read(logits) };
  } finally {
    gpu.release(logits, table);
    tap.release();
    sources.release();
  }
}

interface OpenSources {
  /** Tokens of the other run that were left out. */
  readonly first: number;
  readonly of: (edit: Edit) => Tensor;
  readonly otherLogits: Tensor;
  readonly baseLogits: Tensor;
  otherRow(clean: Tensor): Promise<LogitRow>;
  release(): void;
}

/** Runs that cells copy from, with the sites that they copy. */
async function openSources(
  model: Model,
  pair: Pair,
  cells: readonly Cell[],
  options: SweepOptions,
  prefix?: Prefixes,
): Promise<OpenSources> {
  const { gpu, sites } = model;
  const copied = (source: string) => {
    const names = new Set(
      cells
        .flat()
        .filter((edit) => edit.source === source)
        .map(({ site, sourceSite }) => sourceSite ?? site),
    );
    return sites.filter(({ name }) => names.has(name));
  };
  const other = captureTap(gpu, sites, copied("other"));
  const held: { release(): void }[] = [other];
  const taps = new Map<string, CaptureTap>([["other", other]]);
  const first = prefix?.ofOther(cells) ?? 0;
  const otherLogits = model.forward(pair.other, other, { firstToken: first });
  const baseLogits = pair.direction === "noising" ? model.forward(pair.base, untapped) : otherLogits;
  for (const [name, input] of options.runs ?? []) {
    const tap = captureTap(gpu, sites, copied(name));
    gpu.release(model.forward(input, tap));
    taps.set(name, tap);
    held.push(tap);
  }
  const stored = storedSources(gpu, options.stored ?? new Map());
  held.push(stored);
  return {
    first,
    otherLogits,
    baseLogits,
    of({ source, site, sourceSite = site }) {
      const tensor = taps.get(source)?.kept.get(sourceSite) ?? stored.get(source);
      if (!tensor) throw new Error(`sweep: no source "${source}" for ${sourceSite}`);
      return tensor;
    },
    async otherRow(clean) {
      const table = logitScores(gpu, otherLogits, clean, pair.answers);
      const [row] = logitRows(await gpu.read(table));
      gpu.release(table);
      return row!;
    },
    release() {
      gpu.release(otherLogits, baseLogits);
      for (const item of held) item.release();
    },
  };
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

interface Chunk {
  /** Numbers of cells. */
  readonly chunk: readonly number[];
  readonly single: ReadonlySet<string>;
}

/**
 * Cells that leave out about as many tokens share a chunk, else those of late layers, and those whose variants may start
 * as single tokens; at least one chunk.
 */
function chunksOf(model: Model, pair: Pair, cells: readonly Cell[], prefix: Prefixes, given?: number): Chunk[] {
  const depths = cellDepths(model, cells);
  const firsts = cells.map((cell) => prefix.ofBase([cell]));
  const single = new Set(model.sites.filter((site) => site.single === true).map(({ name }) => name));
  const wholeOnly = new Set(model.sites.filter((site) => site.single === false).map(({ name }) => name));
  const needsRows = (cell: number) => cells[cell]!.some(({ site }) => wholeOnly.has(site));
  const chunks: Chunk[] = [];
  const tokens = length(pair.base);
  const cut = (own: readonly number[], sites: ReadonlySet<string>) => {
    if (own.length === 0) return;
    const names = own.map((cell) => cells[cell]!);
    const step = given ?? chunkSize(model, pair, names, prefix.ofBase(names), sites.size === 0);
    for (let first = 0; first < own.length; ) {
      const reach = firsts[own[first]!]! + (tokens - firsts[own[first]!]!) / 16;
      let end = first + 1;
      while (end < own.length && end - first < step && firsts[own[end]!]! <= reach) end++;
      chunks.push({ chunk: own.slice(first, end), single: sites });
      first = end;
    }
  };
  const causal = pair.base.picture !== undefined;
  const order = (a: number, b: number) =>
    causal ? firsts[a]! - firsts[b]! || a - b : depths[a]! - depths[b]! || a - b;
  const all = [...cells.keys()].sort(order);
  for (const rows of [false, true]) {
    cut(
      all.filter((cell) => needsRows(cell) === rows),
      rows ? new Set() : single,
    );
  }
  return chunks.length > 0 ? chunks : [{ chunk: [], single }];
}

/** Where in the forward each cell's first edit lies. */
function cellDepths(model: Model, cells: readonly Cell[]): number[] {
  const place = new Map(model.sites.map(({ name }, i) => [name, i]));
  return cells.map((cell) => Math.min(...cell.map(({ site }) => place.get(site)!)));
}

/**
 * A batch keeps about ten activations of its widest kind at a time, each of so many bytes at the most, or of one binding.
 * Software adapters are faster while these fit into the processor's caches.
 */
const BATCH_BYTES = { B: 256 * 2 ** 20, D: 16 * 2 ** 20 };

/** `rows`: keys and values of the picture may have rows too. */
function chunkSize(model: Model, pair: Pair, cells: readonly Cell[], firstToken: number, rows: boolean): number {
  const shapes = model.shapes(pair.base.ids.length, firstToken);
  const first = cellDepths(model, cells).reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const rowBytes = model.sites.slice(first).map(({ name, axes, single }) => {
    const shape = shapes.get(name)!;
    const ofPicture = single === false && axes === "head token dim";
    if (name.endsWith(".result") || (ofPicture && !rows)) return 0; // made alone; one row for all
    return 4 * (axes === "token vocab" ? shape.at(-1)! : size(shape)); // logits of the answer position only
  });
  const { tier, maxBindingBytes } = model.gpu.info;
  const bytes = Math.min(BATCH_BYTES[tier], maxBindingBytes);
  return Math.max(1, Math.floor(bytes / Math.max(...rowBytes)) - 1);
}
