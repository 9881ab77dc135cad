import { batching, type Heads, headGroup, type Past, type Sources, wholeOf, withPast } from "./attention-scores.ts";
import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf, runAttention } from "./group.ts";
import { attentionMixFew, attentionMixPanel, attentionMixStrips, attentionMix as shader } from "./shaders.gen.ts";
import { rows, size, type Tensor } from "./tensor.ts";

/**
 * probs [rows, heads, tokens, past + sources] times the past and v [rows, sources, value heads, dim]:
 * [rows, tokens, heads, dim]. Neighbouring heads share a value head where there are fewer of those.
 * Rows obey the batch rule; values of one row serve all.
 */
export function attentionMix(gpu: Gpu, label: string, probs: Tensor, v: Tensor, past?: Past): Tensor {
  const [, heads, tokens, sources] = probs.shape as [number, number, number, number];
  const values = valuesOf(gpu, "attentionMix", heads, sources, v, past);
  const z = gpu.tensor(label, [Math.max(rows(probs), values.rows), tokens, heads, v.shape[3]!]);
  mixInto(gpu, z, probs, values, { first: 0, count: heads });
  return z;
}

/** The values that `sources` probabilities of so many heads mix. */
export function valuesOf(gpu: Gpu, kernel: string, heads: number, sources: number, v: Tensor, past?: Past): Sources {
  const group = headGroup(heads, v);
  const own = sources - (past?.tokens ?? 0);
  if (v.shape[1] !== own || group === undefined) throw new ShapeError(kernel, v, ["rows", own, heads, "dim"]);
  return withPast(gpu, kernel, v, group, past);
}

/** Writes some heads of z [rows, tokens, heads, dim], whose probabilities [rows, own.count, tokens, sources] are given. */
export function mixInto(gpu: Gpu, z: Tensor, probs: Tensor, values: Sources, own: Heads): void {
  const [, tokens, heads, dim] = z.shape as [number, number, number, number];
  const { sources, prefix, group } = values;
  gpu.flop += (2 * size(z.shape) * sources * own.count) / heads;
  const bindings = { probs: probs.memory, v: values.memory, z: z.memory };
  const params = { p_rows: rows(probs), v_rows: values.rows, tokens, sources, prefix, heads, group, dim };
  if (gpu.info.tier === "D") {
    const { batches, queries } = batching(rows(probs), values.rows, tokens);
    const some = { ...params, first_head: own.first, own_heads: own.count, batches, queries };
    const work = { times: own.count * batches, rows: queries, columns: dim, dim, sources };
    const inTextures = { v: wholeOf(values, heads, dim) };
    runAttention(gpu, kernels, { SG: gpu.info.subgroupSize }, bindings, inTextures, some, work);
  } else {
    const elements = size(z.shape);
    gpu.run(shader, {}, bindings, { ...params, count: elements }, groupsOf(elements));
  }
}

const kernels = {
  panel: attentionMixPanel,
  strips: attentionMixStrips,
  few: attentionMixFew,
  perInvocation: 4,
} as const;
