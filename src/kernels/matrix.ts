/**
 * Weight matrices on the device, where the tier reads them best: in a buffer for A and B, in a texture for D. There float32 and
 * float16 rows lie as rows of texels, with the checkpoint's own bytes (shaders/lib/weight-rows.wgsl), and go from the
 * file into device memory; NF4 has a texel for each word of four neighbouring rows (shaders/weight-texture.wgsl).
 */
import type { Gpu, Texels } from "./gpu.ts";
import { weightTexture } from "./shaders.gen.ts";
import type { Memory, TextureMemory } from "./tensor.ts";

/**
 * How the numbers of a matrix lie on the device: one, two, or eight to a word. NF4 has scales in float32, or in float16
 * (`nf4-half`), where nothing is lost if the weights were float16.
 */
export type Format = "float32" | "float16" | Nf4;
export type Nf4 = "nf4" | "nf4-half";

export const isNf4 = (format: Format): format is Nf4 => format === "nf4" || format === "nf4-half";

/** A weight matrix [outputs, inputs] on the device, or some of its neighbouring outputs. */
export interface Matrix {
  readonly label: string;
  /** How many there are in all, and which of them this is: `outputs` from `first` on, a multiple of 4. */
  readonly stored: number;
  readonly first: number;
  readonly outputs: number;
  readonly inputs: number;
  readonly format: Format;
  readonly texture?: TextureMemory;
  readonly memory?: Memory;
}

/** Neighbours in the row-major matrix that share a scale. */
export const NF4_BLOCK = 64;

/** Words of a row; for nf4 its codes, then the scales of the blocks that it touches (shaders/lib/nf4.wgsl). */
export function rowWords(format: Format, inputs: number): number {
  if (format === "float32") return inputs;
  if (format === "float16") return inputs / 2;
  const ragged = inputs % NF4_BLOCK === 0 ? 0 : 1;
  const scales = Math.ceil(inputs / NF4_BLOCK) + ragged;
  return Math.ceil(inputs / 8) + Math.ceil(format === "nf4-half" ? scales / 2 : scales);
}

const TEXEL_WORDS = 4;

/** Room for a matrix; `writeRows` or `streamRows` then fills it from above, rows at a time. */
export function emptyMatrix(gpu: Gpu, label: string, outputs: number, inputs: number, format: Format): Matrix {
  if (format === "float16" && inputs % 2 === 1)
    throw new Error(`matmul: ${label} has ${inputs} inputs, float16 needs an even number`);
  const words = rowWords(format, inputs);
  const shape = { label, stored: outputs, first: 0, outputs, inputs, format };
  if (gpu.info.tier !== "D") return { ...shape, memory: gpu.keep(gpu.tensor(label, [outputs, words])).memory };
  if (isNf4(format)) return { ...shape, texture: gpu.texture(label, Math.ceil(outputs / 4), words) };
  const height = rowsBelow(gpu, shape);
  return {
    ...shape,
    texture: gpu.texture(label, apart(Math.ceil(outputs / height) * rowTexels(shape), format), height),
  };
}

/** Texels of 16 inputs, which the kernels take at a time. */
const blockTexels = { float32: 4, float16: 2 };

/** An odd number of blocks: rows that lie below each other then do not share one set of the processor's cache. */
function apart(texels: number, format: "float32" | "float16"): number {
  const blocks = Math.ceil(texels / blockTexels[format]);
  return (blocks + 1 - (blocks % 2)) * blockTexels[format];
}

const rowTexels = ({ format, inputs }: Pick<Matrix, "format" | "inputs">): number =>
  Math.ceil(rowWords(format, inputs) / TEXEL_WORDS);

/** Rows that lie one below the other, four by four; as many lie to the right of these, until all have their place. */
function rowsBelow(gpu: Gpu, { stored }: Pick<Matrix, "stored">): number {
  const fours = Math.ceil(stored / 4);
  const stacks = Math.ceil(fours / Math.floor(gpu.info.maxTextureSide / 4));
  return 4 * Math.ceil(fours / stacks);
}

/** Rows firstRow .. firstRow + count - 1, in rectangles of the texture from above. */
function rectangles(gpu: Gpu, matrix: Matrix, firstRow: number, count: number): Texels[] {
  const [width, height] = [rowTexels(matrix), rowsBelow(gpu, matrix)];
  const found: Texels[] = [];
  for (let row = firstRow; row < firstRow + count; ) {
    const y = row % height;
    const own = Math.min(firstRow + count - row, height - y);
    found.push({ texture: matrix.texture!, x: Math.floor(row / height) * width, y, width, height: own });
    row += own;
  }
  return found;
}

/** Rows `firstRow`.. of a matrix: whole rows of words; for nf4 on D, firstRow is a multiple of 4. */
export function writeRows(gpu: Gpu, matrix: Matrix, firstRow: number, words: Uint32Array): void {
  const own = rowWords(matrix.format, matrix.inputs);
  const count = words.length / own;
  if (matrix.memory) gpu.write(matrix.memory, firstRow * own * 4, words);
  else if (isNf4(matrix.format)) writeColumns(gpu, matrix, firstRow, count, words);
  else {
    let done = 0;
    for (const texels of rectangles(gpu, matrix, firstRow, count)) {
      const part = words.subarray(done * own, (done + texels.height) * own);
      gpu.writeTexels(texels, padded(part, own, texels.width * TEXEL_WORDS));
      done += texels.height;
    }
  }
  gpu.submit();
}

/** Rows of words, each filled up with zeros. */
function padded(words: Uint32Array, own: number, width: number): Uint32Array {
  if (own === width) return words;
  const all = new Uint32Array((words.length / own) * width);
  for (let i = 0; i * own < words.length; i++) all.set(words.subarray(i * own, (i + 1) * own), i * width);
  return all;
}

function writeColumns(gpu: Gpu, matrix: Matrix, firstRow: number, rows: number, words: Uint32Array): void {
  const row_words = words.length / rows;
  gpu.frame(() => {
    const staged = gpu.upload(matrix.label, [rows, row_words], words);
    const count = Math.ceil(rows / 4) * row_words;
    const params = { count, row_words, rows, first_texel: firstRow / 4 };
    gpu.run(weightTexture, {}, { words: staged.memory, texels: matrix.texture! }, params, Math.ceil(count / 64));
  });
}

/** Copies to a texture begin at multiples of so many bytes in a row. */
const COPY_BYTES = 256;

/** Can the matrix take the bytes of a checkpoint as they are? Else its rows are made ready on the host (`writeRows`). */
export const takesBytes = (matrix: Matrix): boolean =>
  !isNf4(matrix.format) && (!matrix.texture || (4 * rowWords(matrix.format, matrix.inputs)) % COPY_BYTES === 0);

/** As `writeRows`, with bytes that `read` puts right into memory that the device copies from. */
export async function streamRows(
  gpu: Gpu,
  matrix: Matrix,
  firstRow: number,
  count: number,
  read: (row: number, into: Uint8Array) => Promise<void>,
): Promise<void> {
  const rowBytes = 4 * rowWords(matrix.format, matrix.inputs);
  if (matrix.memory) {
    const place = { memory: matrix.memory, offset: firstRow * rowBytes };
    return gpu.stream(place, count * rowBytes, (into) => read(firstRow, into));
  }
  let row = firstRow;
  for (const texels of rectangles(gpu, matrix, firstRow, count)) {
    const first = row;
    await gpu.stream(texels, texels.height * rowBytes, (into) => read(first, into));
    row += texels.height;
  }
}
