import { batching, headGroup, type Past, withPast } from "./attention-scores.ts";
import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { attentionForm, groupsOf, tileSize, tilesOf } from "./group.ts";
import { attentionMixStrips, attentionMixSubgroup, attentionMixWide, attentionMix as shader } from "./shaders.gen.ts";
import { rows, size, type Tensor } from "./tensor.ts";

/**
 * probs [rows, heads, tokens, past + sources] times the past and v [rows, sources, value heads, dim]:
 * [rows, tokens, heads, dim]. Neighbouring heads share a value head where there are fewer of those.
 * Rows obey the batch rule; values of one row serve all.
 */
export function attentionMix(gpu: Gpu, label: string, probs: Tensor, v: Tensor, past?: Past): Tensor {
  const [, heads, tokens, sources] = probs.shape as [number, number, number, number];
  const dim = v.shape[3]!;
  const group = headGroup(heads, v);
  const own = sources - (past?.tokens ?? 0);
  if (v.shape[1] !== own || group === undefined) throw new ShapeError("attentionMix", v, ["rows", own, heads, "dim"]);
  const { memory, prefix } = withPast(gpu, "attentionMix", v, past);
  const z = gpu.tensor(label, [Math.max(rows(probs), rows(v)), tokens, heads, dim]);
  gpu.flop += 2 * size(z.shape) * sources;
  const bindings = { probs: probs.memory, v: memory, z: z.memory };
  const params = { p_rows: rows(probs), v_rows: rows(v), tokens, sources, prefix, heads, group, dim };
  if (gpu.info.tier === "D") {
    const SG = gpu.info.subgroupSize;
    const { batches, queries } = batching(rows(probs), rows(v), tokens);
    const form = attentionForm(gpu, dim, dim);
    const tiles = tilesOf(tileSize(gpu, form), queries, dim) * heads * batches;
    gpu.run(kernels[form], { SG }, bindings, { ...params, batches, queries }, tiles);
  } else {
    const elements = size(z.shape);
    gpu.run(shader, {}, bindings, { ...params, count: elements }, groupsOf(elements));
  }
  return z;
}

const kernels = { strips: attentionMixStrips, wide: attentionMixWide, subgroup: attentionMixSubgroup };
