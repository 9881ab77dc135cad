/** One weight from the checkpoint to the device, in pieces and in the form that its kernel reads. */
import { emptyTable, streamEntries, type Table, writeEntries } from "../kernels/gather.ts";
import type { Gpu } from "../kernels/gpu.ts";
import {
  emptyMatrix,
  type Format,
  isNf4,
  type Matrix,
  NF4_BLOCK,
  streamRows,
  takesBytes,
  writeRows,
} from "../kernels/matrix.ts";
import { size, type Tensor } from "../kernels/tensor.ts";
import type { Checkpoint, TensorInfo } from "./checkpoint.ts";
import { UserError } from "./errors.ts";
import { widenBfloat, widenHalf } from "./half.ts";
import { nf4Rows } from "./nf4.ts";
import type { Wanted } from "./wanted.ts";
import type { Linears } from "./weights.ts";

/** A weight that is wanted, where the checkpoint has it, and how it will lie on the device. */
export interface Found {
  readonly want: Wanted;
  readonly info: TensorInfo;
  readonly format: Format;
}

/** Pairs of float16 numbers share a word, so an odd width is widened. */
export function formatOf({ form, shape }: Wanted, { dtype }: TensorInfo, quantized: boolean): Format {
  if (form === "matrix" && quantized) return dtype === "F16" ? "nf4-half" : "nf4";
  return form !== "vector" && dtype === "F16" && shape.at(-1)! % 2 === 0 ? "float16" : "float32";
}

export const loaders = { linears: loadLinears, vector: loadVector, table: loadTable };

/** Bytes read and handed to the device at a time; bounds the heap while loading. */
const PIECE = 16 * 2 ** 20;

/** Linear layers of one shape, side by side, and their biases, if they have any. */
async function loadLinears(
  gpu: Gpu,
  checkpoint: Checkpoint,
  some: readonly Found[],
  biases: readonly Found[],
): Promise<Linears> {
  const { want, format } = some[0]!;
  const [outputs, inputs] = want.shape as [number, number];
  const label = some.map((one) => one.want.name).join(", ");
  const weight = emptyMatrix(gpu, label, some.length * outputs, inputs, format);
  const rows = async () => {
    for (const [i, one] of some.entries()) await loadRows(gpu, checkpoint, weight, i * outputs, one);
  };
  const [bias] = await Promise.all([loadBias(gpu, checkpoint, biases), rows()]);
  return { layers: some.length, weight, ...(bias && { bias }) };
}

async function loadBias(gpu: Gpu, checkpoint: Checkpoint, biases: readonly Found[]): Promise<Tensor | undefined> {
  if (biases.length === 0) return undefined;
  const label = biases.map(({ want }) => want.name).join(", ");
  const shape = [biases.reduce((total, { want }) => total + size(want.shape), 0)];
  if (isDry(gpu)) return gpu.keep(gpu.tensor(label, shape));
  const values = await Promise.all(biases.map(({ info }) => checkpoint.f32(info.name)));
  return gpu.keep(gpu.upload(label, shape, Float32Array.from(values.flatMap((one) => [...one]))));
}

/** Fills the rows of a matrix from `first` on with those of one in the checkpoint. */
async function loadRows(
  gpu: Gpu,
  checkpoint: Checkpoint,
  matrix: Matrix,
  first: number,
  { want, info, format }: Found,
): Promise<void> {
  if (isDry(gpu)) return;
  const { name } = want;
  const [outputs, inputs] = want.shape as [number, number];
  const rowBytes = info.bytes / outputs;
  const asStored = takesBytes(matrix) && storedAs(info, format);
  const read = (row: number, into: Uint8Array) => checkpoint.readInto(info.name, (row - first) * rowBytes, into);
  const unit = isNf4(format) ? NF4_BLOCK : 4; // so many rows begin with a block, whatever their length
  const step = Math.max(unit, Math.floor(PIECE / rowBytes / unit) * unit);
  for (let row = 0; row < outputs; row += step) {
    const count = Math.min(step, outputs - row);
    if (asStored) {
      await streamRows(gpu, matrix, first + row, count, read);
      continue;
    }
    const bytes = await checkpoint.readRange(info.name, row * rowBytes, count * rowBytes);
    const words = deviceWords(bytes, info, format === "float16");
    writeRows(gpu, matrix, first + row, isNf4(format) ? nf4Rows(name, format, inputs, asFloats(words)) : words);
  }
}

/** The bytes of the checkpoint are those of the device. */
const storedAs = ({ dtype }: TensorInfo, format: Format): boolean =>
  (format === "float32" && dtype === "F32") || (format === "float16" && dtype === "F16");

async function loadVector(gpu: Gpu, checkpoint: Checkpoint, { want, info }: Found): Promise<Tensor> {
  const { name, shape } = want;
  return gpu.keep(isDry(gpu) ? gpu.tensor(name, shape) : gpu.upload(name, shape, await checkpoint.f32(info.name)));
}

async function loadTable(gpu: Gpu, checkpoint: Checkpoint, { want, info, format }: Found): Promise<Table> {
  const { name } = want;
  const [entries, width] = want.shape as [number, number];
  const half = format === "float16";
  const table = emptyTable(gpu, name, entries, width, half);
  if (isDry(gpu)) return table;
  const rowBytes = info.bytes / entries;
  const step = Math.max(1, Math.floor(PIECE / rowBytes));
  for (let row = 0; row < entries; row += step) {
    const count = Math.min(step, entries - row);
    if (storedAs(info, format)) {
      await streamEntries(gpu, table, row, count, (entry, into) =>
        checkpoint.readInto(info.name, entry * rowBytes, into),
      );
      continue;
    }
    const bytes = await checkpoint.readRange(info.name, row * rowBytes, count * rowBytes);
    writeEntries(gpu, table, row, deviceWords(bytes, info, half));
  }
  return table;
}

/** A dry run takes room for weights, but none of their values. */
export const isDry = (gpu: Gpu): boolean => gpu.info.kind === "none";

const asFloats = ({ buffer, byteOffset, length }: Uint32Array) => new Float32Array(buffer, byteOffset, length);

function deviceWords(bytes: Uint8Array<ArrayBuffer>, info: TensorInfo, half: boolean): Uint32Array {
  const { buffer, byteOffset, byteLength } = bytes;
  if (info.dtype === "F32" || half) return new Uint32Array(buffer, byteOffset, byteLength / 4);
  const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
  if (info.dtype === "F16") return new Uint32Array(widenHalf(halves).buffer);
  if (info.dtype === "BF16") return new Uint32Array(widenBfloat(halves).buffer);
  throw new UserError(`checkpoint: ${info.name} is ${info.dtype}, expected F32, F16 or BF16; convert the checkpoint`);
}
