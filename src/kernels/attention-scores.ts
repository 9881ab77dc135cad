import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf, ROWS } from "./group.ts";
import { attentionScoresSubgroup, attentionScores as shader } from "./shaders.gen.ts";
import { rows, size, type Tensor } from "./tensor.ts";

/**
 * q [rows, tokens, heads, dim] against k [rows, sources, heads, dim], times 1/√dim: [rows, heads, tokens, sources].
 * `causal`: -inf where a source lies after its token (the last token sees every source).
 * Rows obey the batch rule; keys of one row serve all queries.
 */
export function attentionScores(gpu: Gpu, label: string, q: Tensor, k: Tensor, causal: boolean): Tensor {
  const [, tokens, heads, dim] = q.shape as [number, number, number, number];
  const sources = k.shape[1]!;
  if (k.shape[2] !== heads || k.shape[3] !== dim)
    throw new ShapeError("attentionScores", k, ["rows", "sources", heads, dim]);
  if (dim % 8 !== 0) throw new ShapeError("attentionScores", q, ["rows", "tokens", "heads", "a multiple of 8"]);
  const count = Math.max(rows(q), rows(k));
  const y = gpu.tensor(label, [count, heads, tokens, sources]);
  gpu.flop += 2 * size(y.shape) * dim;
  const bindings = { q: q.memory, k: k.memory, y: y.memory };
  const overrides = { HEADS: heads, DIM: dim, CAUSAL: causal };
  const common = { q_rows: rows(q), k_rows: rows(k), tokens, sources, scale: 1 / Math.sqrt(dim) };
  const params = { ...common, minus_infinity: Number.NEGATIVE_INFINITY };
  if (gpu.info.tier === "D") {
    const SG = gpu.info.subgroupSize;
    const { batches, queries } = batching(rows(q), rows(k), tokens);
    const tiles = Math.ceil(queries / ROWS) * Math.ceil(sources / (4 * SG)) * heads * batches;
    gpu.run(attentionScoresSubgroup, { SG, ...overrides }, bindings, { ...params, batches, queries }, tiles);
  } else {
    const elements = size(y.shape);
    gpu.run(shader, overrides, bindings, { ...params, count: elements }, groupsOf(elements));
  }
  return y;
}

/** Rows that share their memory (keys, values) are one batch of rows × tokens queries; others are a batch each. */
export function batching(queryRows: number, memoryRows: number, tokens: number): { batches: number; queries: number } {
  if (memoryRows === 1) return { batches: 1, queries: queryRows * tokens };
  return { batches: Math.max(queryRows, memoryRows), queries: tokens };
}
