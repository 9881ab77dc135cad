import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf, K_BLOCK, runAttention } from "./group.ts";
import {
  attentionScoresFew,
  attentionScoresPanel,
  attentionScoresStrips,
  attentionScores as shader,
} from "./shaders.gen.ts";
import { splice } from "./splice.ts";
import { type Memory, rows, size, type Tensor } from "./tensor.ts";

/** Keys or values of earlier tokens: the first `tokens` of memory [1, at least tokens, heads, dim], for all rows. */
export interface Past {
  readonly memory: Tensor;
  readonly tokens: number;
}

/**
 * q [rows, tokens, heads, dim] against the past and k [rows, sources, key heads, dim], times 1/√dim:
 * [rows, heads, tokens, past + sources]. Neighbouring heads share a key head where there are fewer of those.
 * `causal`: -inf where a source lies after its token (the last token sees every source).
 * Rows obey the batch rule; keys of one row serve all queries.
 */
export function attentionScores(gpu: Gpu, label: string, q: Tensor, k: Tensor, causal: boolean, past?: Past): Tensor {
  const keys = keysOf(gpu, "attentionScores", q, k, past);
  return scoresOf(gpu, label, q, keys, causal, { first: 0, count: q.shape[2]! });
}

/** Neighbouring heads. */
export interface Heads {
  readonly first: number;
  readonly count: number;
}

/** The scores of some heads: [rows, heads.count, tokens, sources]. */
export function scoresOf(gpu: Gpu, label: string, q: Tensor, keys: Sources, causal: boolean, heads: Heads): Tensor {
  const [, tokens, allHeads, dim] = q.shape as [number, number, number, number];
  const { sources, prefix, group } = keys;
  const y = gpu.tensor(label, [Math.max(rows(q), keys.rows), heads.count, tokens, sources]);
  gpu.flop += 2 * size(y.shape) * dim;
  const bindings = { q: q.memory, k: keys.memory, y: y.memory };
  const places = { q_rows: rows(q), k_rows: keys.rows, tokens, sources, prefix, heads: allHeads, group, dim };
  const params = { ...places, causal: Number(causal), scale: scaleOf(dim), minus_infinity: Number.NEGATIVE_INFINITY };
  if (gpu.info.tier === "D") {
    const { batches, queries } = batching(rows(q), keys.rows, tokens);
    const some = { ...params, first_head: heads.first, own_heads: heads.count, batches, queries };
    const overrides = { SG: gpu.info.subgroupSize, RAGGED: dim % K_BLOCK !== 0 };
    const work = { times: heads.count * batches, rows: queries, columns: sources, dim, sources, panelInputs: dim };
    const inTextures = { q, k: wholeOf(keys, allHeads, dim) };
    runAttention(gpu, kernels, overrides, bindings, inTextures, some, work);
  } else {
    const elements = size(y.shape);
    gpu.run(shader, {}, bindings, { ...params, count: elements }, groupsOf(elements));
  }
  return y;
}

export const scaleOf = (dim: number): number => 1 / Math.sqrt(dim);

const kernels = {
  panel: attentionScoresPanel,
  strips: attentionScoresStrips,
  few: attentionScoresFew,
  perInvocation: 1,
} as const;

/** Rows that share their memory (keys, values) are one batch of rows × tokens queries; others are a batch each. */
export function batching(queryRows: number, memoryRows: number, tokens: number): { batches: number; queries: number } {
  if (memoryRows === 1) return { batches: 1, queries: queryRows * tokens };
  return { batches: Math.max(queryRows, memoryRows), queries: tokens };
}

/** Keys or values in one piece of memory: the past, then every row's own (shaders/lib/memory.wgsl). */
export interface Sources {
  readonly memory: Memory;
  readonly rows: number;
  /** Sources of the past, the same for all rows. */
  readonly prefix: number;
  /** All that a query sees. */
  readonly sources: number;
  /** Query heads that share a head of the memory. */
  readonly group: number;
}

/** All of the memory, as one tensor. */
export function wholeOf({ memory, rows, prefix, sources, group }: Sources, heads: number, dim: number): Tensor {
  return { label: "memory", shape: [prefix + rows * (sources - prefix), heads / group, dim], memory };
}

/** The keys that q is compared with. */
export function keysOf(gpu: Gpu, kernel: string, q: Tensor, k: Tensor, past?: Past): Sources {
  const [, , heads, dim] = q.shape as [number, number, number, number];
  const group = headGroup(heads, k);
  if (group === undefined || k.shape[3] !== dim) throw new ShapeError(kernel, k, ["rows", "sources", heads, dim]);
  if (dim % 8 !== 0) throw new ShapeError(kernel, q, ["rows", "tokens", "heads", "a multiple of 8"]);
  return withPast(gpu, kernel, k, group, past);
}

/** How many query heads share a head of the memory; undefined where they cannot be shared out evenly. */
export function headGroup(heads: number, memory: Tensor): number | undefined {
  const group = heads / memory.shape[2]!;
  return Number.isInteger(group) ? group : undefined;
}

/** Puts the past, if there is one, before every row's own. */
export function withPast(gpu: Gpu, kernel: string, own: Tensor, group: number, past?: Past): Sources {
  const [count, tokens, heads, dim] = own.shape as [number, number, number, number];
  if (!past) return { memory: own.memory, rows: count, prefix: 0, sources: tokens, group };
  const [pastRows, pastTokens, ...rest] = past.memory.shape as [number, number, ...number[]];
  if (pastRows !== 1 || pastTokens < past.tokens || rest.join() !== [heads, dim].join()) {
    throw new ShapeError(kernel, past.memory, [1, `at least ${past.tokens}`, heads, dim]);
  }
  const list = { ...own, shape: [1, count * tokens, heads, dim] };
  const { memory } = splice(gpu, own.label, past.memory, past.tokens, pastTokens - past.tokens, list);
  return { memory, rows: count, prefix: past.tokens, sources: past.tokens + tokens, group };
}
