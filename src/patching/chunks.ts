/** Which cells share a batch. */
import { size } from "../kernels/tensor.ts";
import type { Model } from "../models/model.ts";
import type { Cell } from "./cell.ts";
import { length } from "./positions.ts";
import type { Prefixes } from "./prefix.ts";
import { onlyToken } from "./spawn.ts";
import type { Pair, Patched } from "./sweep.ts";

export interface Chunk {
  /** Numbers of cells. */
  readonly chunk: readonly number[];
  readonly single: ReadonlySet<string>;
}

/**
 * Cells that leave out about as many tokens share a chunk, else those of late layers, and those whose variants may start
 * as single tokens. Where some of single tokens are read by no other token, these share chunks without the others, which
 * then need only the last token there. At least one chunk.
 */
export function chunksOf(model: Model, patched: readonly Patched[], prefix: Prefixes, given?: number): Chunk[] {
  const [{ pair, cells }] = patched as [Patched];
  const depths = cellDepths(model, cells);
  const firsts = cells.map((cell) => prefix.ofBase([cell]));
  const single = new Set(model.sites.filter((site) => site.single === true).map(({ name }) => name));
  const wholeOnly = wholeOnlySites(model);
  const needsRows = (cell: number) => cells[cell]!.some(({ site }) => wholeOnly.has(site));
  const chunks: Chunk[] = [];
  const tokens = length(pair.base);
  const cut = (own: readonly number[], sites: ReadonlySet<string>, unread = false) => {
    if (own.length === 0) return;
    const names = own.map((cell) => cells[cell]!);
    const first = unread ? tokens - 1 : prefix.ofBase(names);
    const fits = Math.floor(batchRows(model, pair, names, first, sites.size === 0) / patched.length);
    const step = given ?? Math.max(1, fits - 1); // and the base run
    for (let begin = 0; begin < own.length; ) {
      const reach = unread ? tokens : firsts[own[begin]!]! + (tokens - firsts[own[begin]!]!) / 16;
      let end = begin + 1;
      while (end < own.length && end - begin < step && firsts[own[end]!]! <= reach) end++;
      chunks.push({ chunk: own.slice(begin, end), single: sites });
      begin = end;
    }
  };
  const causal = pair.base.picture !== undefined;
  const order = (a: number, b: number) =>
    causal ? firsts[a]! - firsts[b]! || a - b : depths[a]! - depths[b]! || a - b;
  const all = [...cells.keys()].sort(order);
  const unread = unreadCells(model, pair, cells, single);
  cut([...unread].sort(order), single, true);
  for (const rows of [false, true]) {
    cut(
      all.filter((cell) => needsRows(cell) === rows && !unread.has(cell)),
      rows ? new Set() : single,
    );
  }
  return chunks.length > 0 ? chunks : [{ chunk: [], single }];
}

/**
 * The cells that replace a single token where no other token reads it any more. They cost one more forward of the base
 * run and save the others their last layer: none where there are too few others.
 */
function unreadCells(model: Model, { base }: Pair, cells: readonly Cell[], single: ReadonlySet<string>): Set<number> {
  const sites = new Set(model.lastTokenSites.filter((site) => single.has(site)));
  const shapes = model.shapes(base.ids.length);
  const width = (site: string) => size(shapes.get(site)!.slice(2));
  const unread = [...cells.keys()].filter((i) =>
    cells[i]!.some(({ site }) => sites.has(site) && onlyToken(cells[i]!, width(site)) !== null),
  );
  return new Set(cells.length - unread.length < model.layers ? [] : unread);
}

/** Of each pair the device holds two pictures; more than these few gain nothing (bench/patching/together.bench.ts). */
export const MOST_PAIRS = 4;

/** How many pairs like this one share a batch: as many as fit with all their cells. */
export function pairsAtOnce(model: Model, { pair, cells }: Patched): number {
  const wholeOnly = wholeOnlySites(model);
  const joint = new Set(model.jointSites.filter((name) => !wholeOnly.has(name)));
  if (!cells.flat().every(({ site }) => joint.has(site))) return 1;
  const fits = Math.floor(batchRows(model, pair, cells, 0, false) / (cells.length + 1));
  return Math.max(1, Math.min(MOST_PAIRS, fits));
}

const wholeOnlySites = (model: Model): ReadonlySet<string> =>
  new Set(model.sites.filter(({ single }) => single === false).map(({ name }) => name));

/** Where in the forward each cell's first edit lies. */
function cellDepths(model: Model, cells: readonly Cell[]): number[] {
  const place = new Map(model.sites.map(({ name }, i) => [name, i]));
  return cells.map((cell) => Math.min(...cell.map(({ site }) => place.get(site)!)));
}

/**
 * A batch keeps about ten activations of its widest kind at a time, each of so many bytes at the most, or of one binding.
 * Software adapters are faster while these fit into the processor's caches.
 */
const BATCH_BYTES = { A: 256 * 2 ** 20, B: 256 * 2 ** 20, D: 16 * 2 ** 20 };

/** How many rows fit. `rows`: keys and values of the picture may have rows too. */
function batchRows(model: Model, pair: Pair, cells: readonly Cell[], firstToken: number, rows: boolean): number {
  const shapes = model.shapes(pair.base.ids.length, firstToken);
  const first = cellDepths(model, cells).reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const watched = new Set(cells.flat().map(({ site }) => site));
  const rowBytes = model.sites.slice(first).map(({ name, axes, single }) => {
    const shape = shapes.get(name)!;
    const ofPicture = single === false && axes === "head token dim";
    if (name.endsWith(".result") || (ofPicture && !rows)) return 0; // made alone; one row for all
    const all = axes !== "token vocab" || watched.has(name);
    return 4 * (all ? size(shape) : shape.at(-1)!); // logits of the answer position only, unless a cell wants them all
  });
  const { tier, maxBindingBytes } = model.gpu.info;
  const bytes = Math.min(BATCH_BYTES[tier], maxBindingBytes);
  return Math.floor(bytes / Math.max(...rowBytes));
}
