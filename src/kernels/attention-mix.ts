import { batching } from "./attention-scores.ts";
import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf, ROWS } from "./group.ts";
import { attentionMixSubgroup, attentionMix as shader } from "./shaders.gen.ts";
import { rows, size, type Tensor } from "./tensor.ts";

/**
 * probs [rows, heads, tokens, sources] times v [rows, sources, heads, dim]: [rows, tokens, heads, dim].
 * Rows obey the batch rule; values of one row serve all.
 */
export function attentionMix(gpu: Gpu, label: string, probs: Tensor, v: Tensor): Tensor {
  const [, heads, tokens, sources] = probs.shape as [number, number, number, number];
  const dim = v.shape[3]!;
  if (v.shape[1] !== sources || v.shape[2] !== heads)
    throw new ShapeError("attentionMix", v, ["rows", sources, heads, "dim"]);
  const z = gpu.tensor(label, [Math.max(rows(probs), rows(v)), tokens, heads, dim]);
  gpu.flop += 2 * size(z.shape) * sources;
  const bindings = { probs: probs.memory, v: v.memory, z: z.memory };
  const params = { p_rows: rows(probs), v_rows: rows(v), tokens, sources };
  if (gpu.info.tier === "D") {
    const SG = gpu.info.subgroupSize;
    const { batches, queries } = batching(rows(probs), rows(v), tokens);
    const tiles = Math.ceil(queries / ROWS) * Math.ceil(dim / (4 * SG)) * heads * batches;
    gpu.run(attentionMixSubgroup, { SG, HEADS: heads, DIM: dim }, bindings, { ...params, batches, queries }, tiles);
  } else {
    const elements = size(z.shape);
    gpu.run(shader, { HEADS: heads, DIM: dim }, bindings, { ...params, count: elements }, groupsOf(elements));
  }
  return z;
}
