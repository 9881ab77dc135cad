/** Which heads carry the answer of a task in a corruption: NOTICE's rule, and how far the samples bear it out. */
import { seededRandom } from "../data/random.ts";
import { publishedHeads } from "./circuit/published.ts";
import type { Panel } from "./circuit/scores.ts";
import { falseDiscovery, signFlipTest } from "./circuit/signs.ts";
import { bootstrap, everySample, type Interval, meansOf, splitHalf } from "./circuit-statistics.ts";

/** `L3.H0` */
export type HeadName = string;

export const headName = (layer: number, head: number): HeadName => `L${layer}.H${head}`;

export interface CircuitOptions {
  /** Standard deviations above the mean from which on a head is important. */
  readonly sigma: number;
  /** Sets of samples that are drawn for the intervals. */
  readonly bootstrap: number;
  readonly seed: number;
}

export const SPLITS = 200;
export const FLIPS = 10_000;
export const sigmas = [1, 1.5, 2, 2.5, 3] as const;

/** null where no sample has a value. */
export interface HeadScore {
  readonly name: HeadName;
  readonly layer: number;
  readonly head: number;
  /** Samples with a value. */
  readonly n: number;
  /** Mean of absolute scores: what the rule looks at. */
  readonly strength: number | null;
  readonly strength_interval: Interval | null;
  /** Mean score, with its sign. */
  readonly mean: number | null;
  readonly interval: Interval | null;
  /** Is the mean different from 0? By random signs, and corrected for the number of heads. */
  readonly p: number | null;
  readonly q: number | null;
  readonly important: boolean;
  /** Share of random splits in which the head is important in both halves; null with fewer than two samples. */
  readonly stability: number | null;
  readonly published: boolean;
}

export interface Threshold {
  readonly sigma: number;
  readonly threshold: number | null;
  readonly important: readonly HeadName[];
}

export interface Circuit extends Omit<Panel, "matrix"> {
  readonly samples: number;
  /** Mean and population standard deviation of the heads' strengths. */
  readonly mean: number | null;
  readonly deviation: number | null;
  readonly threshold: number | null;
  readonly important: readonly HeadName[];
  readonly published: { readonly model: string; readonly heads: readonly HeadName[] } | null;
  /** Spearman correlation of the strengths in random halves of the samples. */
  readonly rank_correlation: number | null;
  readonly sensitivity: readonly Threshold[];
  readonly scores: readonly HeadScore[];
}

/** NOTICE's rule: how strong each head of a panel is, and which are important. */
export function applyRule({ matrix, layers, heads }: Panel, sigma: number) {
  const { mean, strength } = meansOf(matrix, everySample(matrix));
  const rule = ruleOf(strength, sigma);
  const flags = importantIn(strength, rule);
  const names = layers.flatMap((layer) => heads.map((head) => headName(layer, head)));
  return { names, mean, strength, rule, flags, important: names.filter((_, c) => flags[c]) };
}

export function circuitOf(given: Panel, options: CircuitOptions): Circuit {
  const { matrix, ...panel } = given;
  const { names, mean, strength, rule, flags, important } = applyRule(given, options.sigma);
  const random = () => seededRandom(options.seed);
  const intervals = bootstrap(matrix, options.bootstrap, random());
  const halves = splitHalf(matrix, SPLITS, (half) => importantIn(half, ruleOf(half, options.sigma)), random());
  const p = signFlipTest(matrix, FLIPS, random());
  const q = falseDiscovery(p);
  const published = publishedHeads(panel);
  const chosen = (flags: readonly boolean[]) => names.filter((_, c) => flags[c]);
  return {
    ...panel,
    samples: matrix.samples,
    ...rule,
    important,
    published,
    rank_correlation: halves?.rankCorrelation ?? null,
    sensitivity: sigmas.map((sigma) => {
      const other = ruleOf(strength, sigma);
      return { sigma, threshold: other.threshold, important: chosen(importantIn(strength, other)) };
    }),
    scores: names.map((name, c) => ({
      name,
      layer: panel.layers[Math.floor(c / panel.heads.length)]!,
      head: panel.heads[c % panel.heads.length]!,
      n: countIn(matrix, c),
      strength: orNull(strength[c]!),
      strength_interval: intervals.strength[c]!,
      mean: orNull(mean[c]!),
      interval: intervals.mean[c]!,
      p: orNull(p[c]!),
      q: orNull(q[c]!),
      important: flags[c]!,
      stability: halves?.important[c] ?? null,
      published: published?.heads.includes(name) ?? false,
    })),
  };
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

const countIn = ({ samples, cells, present }: Panel["matrix"], cell: number): number => {
  if (present === null) return samples;
  let count = 0;
  for (let i = cell; i < samples * cells; i += cells) count += present[i]!;
  return count;
};

type Rule = Pick<Circuit, "mean" | "deviation" | "threshold">;

/** Mean plus `sigma` population standard deviations over all heads that have a value. */
function ruleOf(strength: Float64Array, sigma: number): Rule {
  const known = strength.filter((value) => !Number.isNaN(value));
  if (known.length === 0) return { mean: null, deviation: null, threshold: null };
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length);
  return { mean, deviation, threshold: mean + sigma * deviation };
}

const importantIn = (strength: Float64Array, { threshold }: Rule): boolean[] =>
  Array.from(strength, (value) => threshold !== null && value >= threshold);
