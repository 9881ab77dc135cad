/** y = x W^T + b. */
import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { K_BLOCK, ROWS } from "./group.ts";
import { isNf4, type Matrix, NF4_BLOCK } from "./matrix.ts";
import {
  matmulMatrix,
  matmul as matmulShader,
  matmulStrips,
  matmulStripsHalf,
  matmulSubgroup,
  matmulSubgroupHalf,
  matmulSubgroupNf4,
} from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/** Rows of a tile of the strip kernels: STRIPS x STRIP of shaders/lib/strip.wgsl. */
const STRIP_ROWS = 24;

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
    const strips = SG === 8 && !nf4; // faster with 8 lanes, slower with 4
    const tiles = Math.ceil(vectors / (strips ? STRIP_ROWS : ROWS)) * Math.ceil(Math.ceil(outputs / 4) / SG);
    const bindings = { ...common, weight: weight.texture };
    const params = { vectors, n: outputs, k: inputs, has_bias: Number(bias !== undefined) };
    const overrides = { SG, RAGGED: inputs % (nf4 ? NF4_BLOCK : K_BLOCK) !== 0 };
    if (nf4) gpu.run(matmulSubgroupNf4, { ...overrides, ...halfOverrides(gpu, weight) }, bindings, params, tiles);
    else if (weight.format === "float32")
      gpu.run(strips ? matmulStrips : matmulSubgroup, overrides, bindings, params, tiles);
    else
      gpu.run(
        strips ? matmulStripsHalf : matmulSubgroupHalf,
        { ...overrides, ...halfOverride(gpu) },
        bindings,
        params,
        tiles,
      );
  } else {
    const tiles = Math.ceil(vectors / 64) * Math.ceil(outputs / 64);
    const forms = { NF4: isNf4(weight.format), ...halfOverrides(gpu, weight) };
    const overrides = { K: inputs, BIAS: bias !== undefined, ...forms };
    const bindings = { ...common, weight: weight.memory! };
    gpu.run(gpu.info.tier === "A" ? matmulMatrix : matmulShader, overrides, bindings, { vectors, n: outputs }, tiles);
  }
  return y;
}

const halfOverrides = (gpu: Gpu, { format }: Matrix) => ({
  HALF: format === "float16" || format === "nf4-half",
  ...halfOverride(gpu),
});

export const halfOverride = (gpu: Gpu) => ({ HALF_FLUSHES: gpu.info.halfFlushes });
