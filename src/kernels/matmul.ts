/** y = x W^T + b. The weight lies where the tier reads it best: in a texture for D, in a buffer for B. */
import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { ROWS } from "./group.ts";
import { matmul as matmulShader, matmulSubgroup, matmulSubgroupHalf, weightTexture } from "./shaders.gen.ts";
import { type Memory, size, type Tensor, type TextureMemory } from "./tensor.ts";

/** A weight matrix [outputs, inputs] on the device, in float32 or as float16 two to a word. */
export interface Matrix {
  readonly label: string;
  readonly outputs: number;
  readonly inputs: number;
  readonly half: boolean;
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
  const params = { vectors, n: outputs };
  const constants = { K: inputs, BIAS: bias !== undefined };
  if (weight.texture) {
    const SG = gpu.info.subgroupSize;
    const tiles = Math.ceil(vectors / ROWS) * Math.ceil(Math.ceil(outputs / 4) / SG);
    const bindings = { ...common, weight: weight.texture };
    if (weight.half) gpu.run(matmulSubgroupHalf, { SG, ...constants, ...halfOverride(gpu) }, bindings, params, tiles);
    else gpu.run(matmulSubgroup, { SG, ...constants }, bindings, params, tiles);
  } else {
    const tiles = Math.ceil(vectors / 64) * Math.ceil(outputs / 64);
    const overrides = { ...constants, HALF: weight.half, ...halfOverride(gpu) };
    gpu.run(matmulShader, overrides, { ...common, weight: weight.memory! }, params, tiles);
  }
  return y;
}

export const halfOverride = (gpu: Gpu) => ({ HALF_FLUSHES: gpu.info.halfFlushes });

/** Room for a matrix; `write` then fills it from above, rows at a time. */
export function emptyMatrix(gpu: Gpu, label: string, outputs: number, inputs: number, half: boolean): Matrix {
  if (half && inputs % 2 === 1) throw new Error(`matmul: ${label} has ${inputs} inputs, float16 needs an even number`);
  const rowWords = half ? inputs / 2 : inputs;
  const shape = { label, outputs, inputs, half };
  if (gpu.info.tier === "D") return { ...shape, texture: gpu.texture(label, Math.ceil(outputs / 4), rowWords) };
  return { ...shape, memory: gpu.keep(gpu.tensor(label, [outputs, rowWords])).memory };
}

/** Rows `firstRow`.. of a matrix: whole rows of words as stored in the checkpoint; for D, firstRow is a multiple of 4. */
export function writeRows(gpu: Gpu, matrix: Matrix, firstRow: number, words: Uint32Array): void {
  const rowWords = matrix.half ? matrix.inputs / 2 : matrix.inputs;
  const rows = words.length / rowWords;
  gpu.frame(() => {
    if (matrix.texture) {
      const staged = gpu.upload(matrix.label, [rows, rowWords], words);
      const count = Math.ceil(rows / 4) * rowWords;
      const params = { count, row_words: rowWords, rows, first_texel: firstRow / 4 };
      gpu.run(weightTexture, {}, { words: staged.memory, texels: matrix.texture }, params, Math.ceil(count / 64));
    } else {
      gpu.write(matrix.memory!, firstRow * rowWords * 4, words);
    }
    gpu.submit();
  });
}
