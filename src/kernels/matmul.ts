/** y = x W^T + b. */
import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { hasStrips, K_BLOCK, tileSize, tilesOf } from "./group.ts";
import { isNf4, type Matrix, NF4_BLOCK } from "./matrix.ts";
import {
  matmulFew,
  matmulMatrix,
  matmul as matmulShader,
  matmulStrips,
  matmulStripsHalf,
  matmulStripsNf4,
  matmulSubgroup,
  matmulSubgroupHalf,
  matmulSubgroupNf4,
  matmulWide,
  matmulWideHalf,
} from "./shaders.gen.ts";
import { type Memory, size, type Tensor, type TextureMemory } from "./tensor.ts";

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
  const params = { vectors, n: outputs, k: inputs, has_bias: Number(bias !== undefined) };
  if (weight.texture) runD(gpu, weight, { ...common, weight: weight.texture }, params);
  else runAB(gpu, weight, { ...common, weight: weight.memory! }, params);
  return y;
}

interface Params {
  readonly vectors: number;
  readonly n: number;
  readonly k: number;
  readonly has_bias: number;
}

type Bindings<Weight> = { readonly [name in "x" | "bias" | "y"]: Memory } & { readonly weight: Weight };

/** Wide tiles are faster, but compile for half a second: small models would not earn it back. */
const WIDE_INPUTS = 512;

function runD(gpu: Gpu, { format }: Matrix, bindings: Bindings<TextureMemory>, params: Params): void {
  const narrow = hasStrips(gpu) ? "strips" : "subgroup";
  const form = narrow === "subgroup" && params.k > WIDE_INPUTS && !isNf4(format) ? "wide" : narrow;
  const tiles = tilesOf(tileSize(gpu, form), params.vectors, params.n);
  const block = isNf4(format) ? NF4_BLOCK : K_BLOCK;
  const overrides = { SG: gpu.info.subgroupSize, RAGGED: params.k % block !== 0 };
  const halves = { ...overrides, ...halfOverride(gpu) };
  if (format === "float32") gpu.run(floatKernels[form], overrides, bindings, params, tiles);
  else if (format === "float16") gpu.run(halfKernels[form], halves, bindings, params, tiles);
  else gpu.run(nf4Kernels[narrow], { ...halves, HALF: format === "nf4-half" }, bindings, params, tiles);
}

const floatKernels = { strips: matmulStrips, wide: matmulWide, subgroup: matmulSubgroup };
const halfKernels = { strips: matmulStripsHalf, wide: matmulWideHalf, subgroup: matmulSubgroupHalf };
const nf4Kernels = { strips: matmulStripsNf4, subgroup: matmulSubgroupNf4 };

function runAB(gpu: Gpu, { format }: Matrix, bindings: Bindings<Memory>, params: Params): void {
  const HALF = format === "float16" || format === "nf4-half";
  const overrides = { HALF, NF4: isNf4(format), ...halfOverride(gpu) };
  const tiles = (rows: number, columns: number) => tilesOf({ rows, columns }, params.vectors, params.n);
  if (gpu.info.tier === "A") gpu.run(matmulMatrix, overrides, bindings, params, tiles(64, 64));
  else if (params.vectors <= FEW) gpu.run(matmulFew, overrides, bindings, params, tiles(16, 16));
  else gpu.run(matmulShader, { TALL: 1, WIDE: 1, ...overrides }, bindings, params, tiles(64, 64));
}

/** So few vectors leave tiles of 64 rows mostly empty. */
const FEW = 16;

export const halfOverride = (gpu: Gpu) => ({ HALF_FLUSHES: gpu.info.halfFlushes });
