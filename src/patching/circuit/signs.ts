/** Is a head's mean score different from 0? Under "no" each sample's sign is a coin's. */
import type { Random } from "../../data/random.ts";
import type { ScoreMatrix } from "../circuit-statistics.ts";

/** Samples whose signed sums are made once, all 16 of them; blocks that are added in one go; cells that fit into a cache. */
const BLOCK = 4;
const TOGETHER = 4;
const PATTERNS = 2 ** BLOCK;
const CELLS = 96;

/**
 * Two-sided p-values [C] of a sign-flip permutation test; NaN where no sample has a value.
 * @param flips random choices of signs; where all choices are no more than these, each is taken once and p is exact
 */
export function signFlipTest(matrix: ScoreMatrix, flips: number, random: Random): Float64Array {
  const { samples, cells } = matrix;
  const exact = 2 ** samples <= flips;
  const count = exact ? 2 ** samples : flips;
  const blocks = TOGETHER * Math.ceil(samples / (BLOCK * TOGETHER));
  const patterns = exact ? allSigns(samples, blocks) : randomSigns(count * blocks, random);
  const p = new Float64Array(cells);
  const most = Math.ceil(cells / Math.ceil(cells / CELLS));
  for (let first = 0; first < cells; first += most) {
    const width = Math.min(most, cells - first);
    const sums = signedSums(matrix, first, width, blocks);
    const asFar = atLeastAsFar(sums, patterns, count, sizes(matrix, first, width));
    for (let c = 0; c < width; c++) p[first + c] = exact ? asFar[c]! / count : (1 + asFar[c]!) / (1 + count);
  }
  return p.map((value, c) => (hasValue(matrix, c) ? value : Number.NaN));
}

const hasValue = ({ samples, cells, present }: ScoreMatrix, cell: number): boolean => {
  if (present === null) return samples > 0;
  for (let i = cell; i < samples * cells; i += cells) if (present[i]) return true;
  return false;
};

/** [2^S, blocks]: a bit for each sample of a block, 1 for plus. */
function allSigns(samples: number, blocks: number): Uint8Array {
  return Uint8Array.from({ length: 2 ** samples * blocks }, (_, i) => {
    const signs = Math.floor(i / blocks);
    return (signs >>> (BLOCK * (i % blocks))) % PATTERNS;
  });
}

/** A word of 32 bits has the signs of eight blocks. */
function randomSigns(count: number, random: Random): Uint8Array {
  const patterns = new Uint8Array(count);
  for (let i = 0, word = 0; i < count; i++, word >>>= BLOCK) {
    if (i % 8 === 0) word = random.next();
    patterns[i] = word % PATTERNS;
  }
  return patterns;
}

/** [blocks, 16, width]: the sum of a block's samples under each choice of signs. */
function signedSums({ samples, cells, values }: ScoreMatrix, first: number, width: number, blocks: number) {
  const sums = new Float64Array(blocks * PATTERNS * width);
  for (let s = 0; s < samples; s++) {
    const block = Math.floor(s / BLOCK);
    for (let pattern = 0; pattern < PATTERNS; pattern++) {
      const sign = (pattern >>> (s % BLOCK)) & 1 ? 1 : -1;
      const at = (block * PATTERNS + pattern) * width;
      for (let c = 0; c < width; c++) sums[at + c]! += sign * values[s * cells + first + c]!;
    }
  }
  return sums;
}

/** [width]: sums of absolute values. */
function sizes({ samples, cells, values }: ScoreMatrix, first: number, width: number): Float64Array {
  const size = new Float64Array(width);
  for (let s = 0; s < samples; s++)
    for (let c = 0; c < width; c++) size[c]! += Math.abs(values[s * cells + first + c]!);
  return size;
}

/** [width]: how many choices of signs give a sum as far from 0 as the samples' own signs, but for rounding. */
function atLeastAsFar(sums: Float64Array, patterns: Uint8Array, count: number, size: Float64Array): Uint32Array {
  const width = size.length;
  const blocks = sums.length / (PATTERNS * width);
  const [bound, sum] = [new Float64Array(width), new Float64Array(width)];
  const asFar = new Uint32Array(width);
  const sumUp = (of: Uint8Array, start: number) => {
    sum.fill(0);
    for (let block = 0; block < blocks; block += TOGETHER) {
      const from = start + block;
      const a = (block * PATTERNS + of[from]!) * width;
      const b = ((block + 1) * PATTERNS + of[from + 1]!) * width;
      const d = ((block + 2) * PATTERNS + of[from + 2]!) * width;
      const e = ((block + 3) * PATTERNS + of[from + 3]!) * width;
      for (let c = 0; c < width; c++) sum[c]! += sums[a + c]! + sums[b + c]! + (sums[d + c]! + sums[e + c]!);
    }
  };
  sumUp(new Uint8Array(blocks).fill(PATTERNS - 1), 0);
  for (let c = 0; c < width; c++) bound[c] = Math.abs(sum[c]!) - 1e-12 * size[c]!;
  for (let i = 0; i < count; i++) {
    sumUp(patterns, i * blocks);
    for (let c = 0; c < width; c++) if (Math.abs(sum[c]!) >= bound[c]!) asFar[c]!++;
  }
  return asFar;
}

/** Benjamini and Hochberg's q-values: the share of false finds among the heads up to this one. NaN stays out. */
export function falseDiscovery(p: ArrayLike<number>): Float64Array {
  const q = new Float64Array(p.length).fill(Number.NaN);
  const order = Array.from({ length: p.length }, (_, i) => i)
    .filter((i) => !Number.isNaN(p[i]!))
    .sort((a, b) => p[a]! - p[b]!);
  let least = 1;
  for (let rank = order.length; rank > 0; rank--) {
    const i = order[rank - 1]!;
    least = Math.min(least, (p[i]! * order.length) / rank);
    q[i] = least;
  }
  return q;
}
