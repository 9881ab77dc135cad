/**
 * What samples alone say about mean scores: resampled, halved, with signs flipped. Seeded, so the same seed gives the
 * same figures. S samples, C cells (layers times heads).
 */
import { type Random, sample } from "../data/random.ts";

export interface ScoreMatrix {
  readonly samples: number;
  readonly cells: number;
  /** [S, C]; 0 where there is no value. */
  readonly values: Float32Array;
  /** [S, C], 1 where there is a value; null where all are there. */
  readonly present: Uint8Array | null;
}

/** Both [C], NaN where no sample has a value. */
export interface Means {
  readonly mean: Float64Array;
  /** Of absolute values. */
  readonly strength: Float64Array;
}

export type Interval = readonly [low: number, high: number];

/** Means over samples; a sample counts as often as its weight says. */
export function meansOf({ samples, cells, values, present }: ScoreMatrix, weights: Uint32Array): Means {
  const [mean, strength] = [new Float64Array(cells), new Float64Array(cells)];
  const count = new Float64Array(cells);
  for (let s = 0; s < samples; s++) {
    const weight = weights[s]!;
    if (weight === 0) continue;
    for (let c = 0, i = s * cells; c < cells; c++, i++) {
      const value = weight * values[i]!;
      mean[c]! += value;
      strength[c]! += Math.abs(value);
      count[c]! += present === null ? weight : weight * present[i]!;
    }
  }
  for (let c = 0; c < cells; c++) {
    mean[c]! /= count[c]!;
    strength[c]! /= count[c]!;
  }
  return { mean, strength };
}

export const everySample = ({ samples }: ScoreMatrix): Uint32Array => new Uint32Array(samples).fill(1);

/** 95 % percentile intervals of both means, over `count` sets of samples drawn with replacement. */
export function bootstrap(matrix: ScoreMatrix, count: number, random: Random) {
  const { samples, cells } = matrix;
  const [mean, strength] = [new Float64Array(cells * count), new Float64Array(cells * count)];
  const weights = new Uint32Array(samples);
  for (let b = 0; b < count; b++) {
    weights.fill(0);
    for (let s = 0; s < samples; s++) weights[random.upTo(samples - 1)]!++;
    const drawn = meansOf(matrix, weights);
    for (let c = 0; c < cells; c++) {
      mean[c * count + b] = drawn.mean[c]!;
      strength[c * count + b] = drawn.strength[c]!;
    }
  }
  const intervals = (all: Float64Array) =>
    Array.from({ length: cells }, (_, c) => interval(all.subarray(c * count, (c + 1) * count)));
  return { mean: intervals(mean), strength: intervals(strength) };
}

/** From the 2.5th to the 97.5th percentile, linear between values; null where there are none. */
function interval(drawn: Float64Array): Interval | null {
  const sorted = drawn.filter((value) => !Number.isNaN(value)).sort();
  if (sorted.length === 0) return null;
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return low + (place - Math.floor(place)) * (high - low);
  };
  return [at(0.025), at(0.975)];
}

/** Random halves of the samples, each ranked alone. */
export interface SplitHalf {
  /** Mean Spearman correlation of the heads' strengths in the two halves; null where it never exists. */
  readonly rankCorrelation: number | null;
  /** [C]: share of the splits in which a cell is important in both halves. */
  readonly important: Float64Array;
}

/** null where there are fewer than two samples. */
export function splitHalf(
  matrix: ScoreMatrix,
  count: number,
  isImportant: (strength: Float64Array) => readonly boolean[],
  random: Random,
): SplitHalf | null {
  const { samples, cells } = matrix;
  if (samples < 2) return null;
  const important = new Float64Array(cells);
  const correlations: number[] = [];
  for (let i = 0; i < count; i++) {
    const first = new Uint32Array(samples);
    for (const s of sample([...first.keys()], samples >> 1, random)) first[s] = 1;
    const halves = [first, first.map((weight) => 1 - weight)].map((half) => meansOf(matrix, half).strength);
    const [one, other] = [isImportant(halves[0]!), isImportant(halves[1]!)];
    for (let c = 0; c < cells; c++) if (one[c] && other[c]) important[c]!++;
    const correlation = spearman(halves[0]!, halves[1]!);
    if (correlation !== null) correlations.push(correlation);
  }
  const total = correlations.reduce((sum, value) => sum + value, 0);
  return {
    rankCorrelation: correlations.length === 0 ? null : total / correlations.length,
    important: important.map((times) => times / count),
  };
}

/** Over the cells that have both values; equal values share their mean rank. null where one side is constant. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  const both = Array.from({ length: a.length }, (_, i) => i).filter(
    (i) => !Number.isNaN(a[i]!) && !Number.isNaN(b[i]!),
  );
  const [x, y] = [a, b].map((values) => ranks(both.map((i) => values[i]!))) as [number[], number[]];
  const middle = (both.length - 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((rank, i) => {
    const [dx, dy] = [rank - middle, y[i]! - middle];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  });
  return xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy);
}

function ranks(values: readonly number[]): number[] {
  const order = [...values.keys()].sort((i, j) => values[i]! - values[j]!);
  const rank = new Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let i = from; i < to; i++) rank[order[i]!] = (from + to - 1) / 2;
    from = to;
  }
  return rank;
}
