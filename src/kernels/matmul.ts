/** y = x W^T + b. */
import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { hasStrips, K_BLOCK, tilesOf } from "./group.ts";
import { isNf4, type Matrix, NF4_BLOCK } from "./matrix.ts";
import {
  matmulMatrix,
  matmul as matmulShader,
  matmulStrips,
  matmulStripsHalf,
  matmulStripsNf4,
  matmulSubgroup,
  matmulSubgroupHalf,
  matmulSubgroupNf4,
} from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/**
 * x [..., inputs] by weight [outputs, inputs] plus bias [outputs]: [..., outputs].
 * A row of the result has the same bits whatever the number of rows.
 * Hugging Face: `torch.nn.Linear`.
 */
export function matmul(gpu: Gpu, label: string, x: Tensor, weight: Matrix, bias?: Tensor): Tensor {
  const { inputs, outputs } = weight;
  if (x.shape.at(-1) !== inputs) throw new ShapeError("matmul", x, ["…", inputs]);
  if (bias && size(bias.shape) !== outputs) throw new ShapeError("matmul", bias, [outputs]);
  const y = gpu.tensor(label, [...x.shape.slice(0, -1), outputs]);
  const vectors = size(x.shape) / inputs;
  gpu.flop += 2 * vectors * inputs * outputs;
  const common = { x: x.memory, bias: (bias ?? x).memory, y: y.memory };
  if (weight.texture) {
    const SG = gpu.info.subgroupSize;
    const nf4 = isNf4(weight.format);
    const strips = hasStrips(gpu);
    const tiles = tilesOf(gpu, strips, vectors, outputs);
    const bindings = { ...common, weight: weight.texture };
    const params = { vectors, n: outputs, k: inputs, has_bias: Number(bias !== undefined) };
    const overrides = { SG, RAGGED: inputs % (nf4 ? NF4_BLOCK : K_BLOCK) !== 0 };
    const halves = { ...overrides, ...halfOverride(gpu) };
    const HALF = weight.format === "nf4-half";
    if (nf4) gpu.run(strips ? matmulStripsNf4 : matmulSubgroupNf4, { ...halves, HALF }, bindings, params, tiles);
    else if (weight.format === "float16")
      gpu.run(strips ? matmulStripsHalf : matmulSubgroupHalf, halves, bindings, params, tiles);
    else gpu.run(strips ? matmulStrips : matmulSubgroup, overrides, bindings, params, tiles);
  } else {
    const tiles = Math.ceil(vectors / 64) * Math.ceil(outputs / 64);
    const HALF = weight.format === "float16" || weight.format === "nf4-half";
    const forms = { HALF, NF4: isNf4(weight.format), ...halfOverride(gpu) };
    const overrides = { K: inputs, BIAS: bias !== undefined, ...forms };
    const bindings = { ...common, weight: weight.memory! };
    gpu.run(gpu.info.tier === "A" ? matmulMatrix : matmulShader, overrides, bindings, { vectors, n: outputs }, tiles);
  }
  return y;
}

export const halfOverride = (gpu: Gpu) => ({ HALF_FLUSHES: gpu.info.halfFlushes });
