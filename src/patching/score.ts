/** Scores of a cell out of what the device keeps of its logits (NOTICE.md: the original's four, and KL, rank, top 1). */
import { logitFields } from "../kernels/logit-scores.ts";
import type { Compat, Json, LogitSummary, Scores } from "./record.ts";

/** One row of shaders/logit-scores.wgsl. */
export interface LogitRow extends LogitSummary {
  /** Largest logit, and the sum of exp(logit - largest). */
  readonly largest: number;
  readonly sum: number;
  readonly rank: number;
  readonly notFinite: number;
  /** KL(clean || this). */
  readonly kl: number;
}

export function logitRows(values: Float32Array): LogitRow[] {
  const count = values.length / logitFields;
  return Array.from({ length: count }, (_, i) => {
    const [correct, incorrect, largest, sum, top1, rank, notFinite, cleanSum, cross] = values.subarray(
      logitFields * i,
      logitFields * (i + 1),
    ) as unknown as [number, number, number, number, number, number, number, number, number];
    const logsumexp = Math.fround(largest + Math.log(sum));
    return {
      correct,
      incorrect,
      logsumexp,
      top1,
      largest,
      sum,
      rank,
      notFinite,
      kl: Math.fround(cross - Math.log(cleanSum) + Math.log(sum)),
    };
  });
}

/** P(correct) over the whole vocabulary. */
export const probability = ({ correct, largest, sum }: LogitRow): number =>
  Math.fround(Math.exp(correct - largest) / sum);

/** The logit difference, correct minus incorrect. */
export const difference = ({ correct, incorrect }: LogitSummary): number => Math.fround(correct - incorrect);

/** Below this difference of the two runs' logit differences there is no normalised effect (D9). */
export const MIN_DENOMINATOR = 1e-3;

export interface ScoreOptions {
  readonly compat: Compat;
  /** Below this |LD_clean - LD_corrupt| there is no normalised effect (D9). */
  readonly minDenominator: number;
}

/** `patched` against the two unpatched runs. In noising the clean run is the base; the formulas stay. */
export function scores(patched: LogitRow, clean: LogitRow, corrupt: LogitRow, options: ScoreOptions): Scores {
  const logitDiff = Math.fround(difference(patched) - difference(corrupt));
  return {
    p_patched: probability(patched),
    p_diff: Math.fround(probability(patched) - probability(corrupt)),
    logit_diff: logitDiff,
    effect: effect(logitDiff, Math.fround(difference(clean) - difference(corrupt)), options),
    kl: patched.kl,
    rank: patched.rank,
    top1: patched.top1,
  };
}

function effect(numerator: number, denominator: number, { compat, minDenominator }: ScoreOptions): Json {
  if (compat === "upstream") return json(Math.fround(numerator / denominator));
  return Math.abs(denominator) < minDenominator ? null : Math.fround(numerator / denominator);
}

/** JSON has no NaN and no infinities. */
export const json = (value: number): Json => (Number.isFinite(value) ? value : (String(value) as Json));

export const summary = ({ correct, incorrect, logsumexp, top1 }: LogitRow): LogitSummary => ({
  correct,
  incorrect,
  logsumexp,
  top1,
});
