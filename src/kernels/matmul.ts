/** y = x W^T + b. The weight lies where the tier reads it best: in a texture for D, in a buffer for B. */
import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { K_BLOCK, ROWS } from "./group.ts";
import {
  matmul as matmulShader,
  matmulStrips,
  matmulStripsHalf,
  matmulSubgroup,
  matmulSubgroupHalf,
  matmulSubgroupNf4,
  weightTexture,
} from "./shaders.gen.ts";
import { type Memory, size, type Tensor, type TextureMemory } from "./tensor.ts";

/** How the numbers of a matrix lie on the device: one, two, or eight with their scales to a word. */
export type Format = "float32" | "float16" | "nf4";

/** Rows of a tile of the strip kernels: STRIPS x STRIP of shaders/lib/strip.wgsl. */
const STRIP_ROWS = 24;

/** A weight matrix [outputs, inputs] on the device. */
export interface Matrix {
  readonly label: string;
  readonly outputs: number;
  readonly inputs: number;
  readonly format: Format;
  readonly texture?: TextureMemory;
  readonly memory?: Memory;
}

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
    const strips = SG === 8 && weight.format !== "nf4"; // faster with 8 lanes, slower with 4
    const tiles = Math.ceil(vectors / (strips ? STRIP_ROWS : ROWS)) * Math.ceil(Math.ceil(outputs / 4) / SG);
    const bindings = { ...common, weight: weight.texture };
    const params = { vectors, n: outputs, k: inputs, has_bias: Number(bias !== undefined) };
    const overrides = { SG, RAGGED: inputs % (weight.format === "nf4" ? NF4_BLOCK : K_BLOCK) !== 0 };
    if (weight.format === "nf4") gpu.run(matmulSubgroupNf4, overrides, bindings, params, tiles);
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
    const forms = { HALF: weight.format === "float16", NF4: weight.format === "nf4", ...halfOverride(gpu) };
    const overrides = { K: inputs, BIAS: bias !== undefined, ...forms };
    const bindings = { ...common, weight: weight.memory! };
    gpu.run(matmulShader, overrides, bindings, { vectors, n: outputs }, tiles);
  }
  return y;
}

export const halfOverride = (gpu: Gpu) => ({ HALF_FLUSHES: gpu.info.halfFlushes });

/** Neighbours in the row-major matrix that share a scale. */
export const NF4_BLOCK = 64;

/** Words of a row; for nf4 its codes, then the scales of the blocks that it touches (shaders/lib/nf4.wgsl). */
export function rowWords(format: Format, inputs: number): number {
  if (format === "float32") return inputs;
  if (format === "float16") return inputs / 2;
  const ragged = inputs % NF4_BLOCK === 0 ? 0 : 1;
  return Math.ceil(inputs / 8) + Math.ceil(inputs / NF4_BLOCK) + ragged;
}

/** Room for a matrix; `write` then fills it from above, rows at a time. */
export function emptyMatrix(gpu: Gpu, label: string, outputs: number, inputs: number, format: Format): Matrix {
  if (format === "float16" && inputs % 2 === 1)
    throw new Error(`matmul: ${label} has ${inputs} inputs, float16 needs an even number`);
  const words = rowWords(format, inputs);
  const shape = { label, outputs, inputs, format };
  if (gpu.info.tier === "D") return { ...shape, texture: gpu.texture(label, Math.ceil(outputs / 4), words) };
  return { ...shape, memory: gpu.keep(gpu.tensor(label, [outputs, words])).memory };
}

/** Rows `firstRow`.. of a matrix: whole rows of words; for D, firstRow is a multiple of 4. */
export function writeRows(gpu: Gpu, matrix: Matrix, firstRow: number, words: Uint32Array): void {
  const row_words = rowWords(matrix.format, matrix.inputs);
  const rows = words.length / row_words;
  gpu.frame(() => {
    if (matrix.texture) {
      const staged = gpu.upload(matrix.label, [rows, row_words], words);
      const count = Math.ceil(rows / 4) * row_words;
      const params = { count, row_words, rows, first_texel: firstRow / 4 };
      gpu.run(weightTexture, {}, { words: staged.memory, texels: matrix.texture }, params, Math.ceil(count / 64));
    } else {
      gpu.write(matrix.memory!, firstRow * row_words * 4, words);
    }
    gpu.submit();
  });
}
