/** Attention whose scores and probabilities are nowhere kept, because nobody looks at them. */
import { mixInto, valuesOf } from "./attention-mix.ts";
import { batching, keysOf, type Past, type Sources, scaleOf, scoresOf } from "./attention-scores.ts";
import type { Gpu } from "./gpu.ts";
import { attention as shader } from "./shaders.gen.ts";
import { softmax } from "./softmax.ts";
import { rows, size, type Tensor } from "./tensor.ts";

/** Keys and values of earlier tokens. */
export interface KeyValuePast {
  readonly keys: Past;
  readonly values: Past;
}

/**
 * q [rows, tokens, heads, dim] asks the past and k and v [rows, sources, key heads, dim]: [rows, tokens, heads, dim].
 * `causal`: no token sees a later one. The same bits as `attentionScores`, `softmax` and `attentionMix` one after the other.
 */
export function attention(
  gpu: Gpu,
  label: string,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  causal: boolean,
  past?: KeyValuePast,
): Tensor {
  const keys = keysOf(gpu, "attention", q, k, past?.keys);
  const [, tokens, heads, dim] = q.shape as [number, number, number, number];
  const values = valuesOf(gpu, "attention", heads, keys.sources, v, past?.values);
  const z = gpu.tensor(label, [Math.max(rows(q), keys.rows, values.rows), tokens, heads, dim]);
  const queriesAtOnce = [8, 4, 2, 1].find((count) => keys.sources <= SCORES / count);
  if (gpu.info.tier !== "D" && queriesAtOnce) fused(gpu, z, q, keys, values, causal, queriesAtOnce);
  else someHeadsAtATime(gpu, z, q, keys, values, causal);
  return z;
}

/** SCORES of shaders/attention.wgsl. */
const SCORES = 3840;

function fused(gpu: Gpu, z: Tensor, q: Tensor, keys: Sources, values: Sources, causal: boolean, QUERIES: number): void {
  const [, tokens, heads, dim] = q.shape as [number, number, number, number];
  const { sources, prefix, group } = keys;
  const { batches, queries } = batching(rows(q), Math.max(keys.rows, values.rows), tokens);
  gpu.flop += 4 * size(z.shape) * sources;
  const bindings = { q: q.memory, k: keys.memory, v: values.memory, z: z.memory };
  const places = { q_rows: rows(q), k_rows: keys.rows, v_rows: values.rows, tokens, sources, prefix, batches, queries };
  const numbers = { causal: Number(causal), scale: scaleOf(dim), minus_infinity: Number.NEGATIVE_INFINITY };
  const tiles = Math.ceil(queries / QUERIES) * heads * batches;
  gpu.run(shader, { QUERIES }, bindings, { ...places, heads, group, dim, ...numbers }, tiles);
}

/** Scores held at a time, so that they stay in the processor's cache, in bytes; those of one head at least. */
const SCRATCH = 4 * 2 ** 20;

function someHeadsAtATime(gpu: Gpu, z: Tensor, q: Tensor, keys: Sources, values: Sources, causal: boolean): void {
  const [count, tokens, heads] = z.shape as [number, number, number, number];
  const atOnce = gpu.info.tier === "D" ? Math.max(1, Math.floor(SCRATCH / (4 * count * tokens * keys.sources))) : heads;
  for (let first = 0; first < heads; first += atOnce) {
    const own = { first, count: Math.min(atOnce, heads - first) };
    gpu.frame(() => {
      const scores = scoresOf(gpu, "scores", q, keys, causal, own);
      mixInto(gpu, z, softmax(gpu, "probs", scores), values, own);
    });
  }
}
