/**
 * Which weights a forward asks for is found by a dry run of it, then each is streamed from the checkpoint to the device.
 */
import { mebibytes } from "../kernels/arena.ts";
import { openDry } from "../kernels/dry.ts";
import { MemoryError } from "../kernels/errors.ts";
import type { Table } from "../kernels/gather.ts";
import type { Gpu } from "../kernels/gpu.ts";
import { emptyMatrix, type Matrix, writeRows } from "../kernels/matmul.ts";
import { size, type Tensor } from "../kernels/tensor.ts";
import type { Checkpoint, TensorInfo } from "./checkpoint.ts";
import { UserError } from "./errors.ts";
import { widenBfloat, widenHalf } from "./half.ts";
import type { Weights } from "./weights.ts";

export interface Wanted {
  readonly name: string;
  readonly form: "matrix" | "vector" | "table";
  readonly shape: readonly number[];
}

/** Weights without values, for a dry run; notes what was asked for, in order. */
export function wantedWeights(): { weights: Weights; wanted: ReadonlyMap<string, Wanted> } {
  const wanted = new Map<string, Wanted>();
  const want = (name: string, form: Wanted["form"], shape: readonly number[]) => {
    wanted.set(name, { name, form, shape });
    return { id: 0, bytes: 4 * size(shape) };
  };
  const weights: Weights = {
    matrix: (name, outputs, inputs): Matrix => ({
      label: name,
      outputs,
      inputs,
      half: false,
      memory: want(name, "matrix", [outputs, inputs]),
    }),
    vector: (name, shape): Tensor => ({ label: name, shape, memory: want(name, "vector", shape) }),
    table: (name, entries, width): Table => ({
      label: name,
      entries,
      width,
      half: false,
      memory: want(name, "table", [entries, width]),
    }),
  };
  return { weights, wanted };
}

export interface LoadedWeights extends Weights {
  release(): void;
}

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

/** Bytes read and handed to the device at a time; bounds the heap while loading. */
const PIECE = 16 * 2 ** 20;

/**
 * Loads what is wanted. float16 matrices and tables stay float16 on the device; everything else becomes float32.
 * `rename` gives other names under which a checkpoint may hold a tensor.
 * @throws UserError for a missing tensor or another shape, by name
 */
export async function loadWeights(
  gpu: Gpu,
  checkpoint: Checkpoint,
  wanted: Iterable<Wanted>,
  options: {
    rename?: (name: string) => string[];
    onProgress?: (progress: LoadProgress) => void;
    signal?: AbortSignal;
  } = {},
): Promise<LoadedWeights> {
  const found = [...wanted].map((want) => ({ want, info: find(checkpoint, want, options.rename?.(want.name) ?? []) }));
  await checkRoom(gpu, checkpoint, found);
  const totalBytes = found.reduce((total, { info }) => total + info.bytes, 0);
  const matrices = new Map<string, Matrix>();
  const vectors = new Map<string, Tensor>();
  const tables = new Map<string, Table>();
  let loadedBytes = 0;
  for (const { want, info } of found) {
    options.signal?.throwIfAborted();
    if (want.form === "matrix") matrices.set(want.name, await loadMatrix(gpu, checkpoint, want, info));
    if (want.form === "vector") vectors.set(want.name, await loadVector(gpu, checkpoint, want, info));
    if (want.form === "table") tables.set(want.name, await loadTable(gpu, checkpoint, want, info));
    loadedBytes += info.bytes;
    options.onProgress?.({ loadedBytes, totalBytes });
  }
  await gpu.finish();
  const get = <T>(map: Map<string, T>, name: string): T => {
    const value = map.get(name);
    if (value === undefined) throw new Error(`weights: ${name} was not loaded; the dry run did not ask for it`);
    return value;
  };
  return {
    matrix: (name) => get(matrices, name),
    vector: (name) => get(vectors, name),
    table: (name) => get(tables, name),
    release() {
      for (const { label, texture, memory } of matrices.values()) {
        if (texture) gpu.destroyTexture(texture);
        if (memory) gpu.release({ label, shape: [], memory });
      }
      gpu.release(...vectors.values());
      for (const { label, memory } of tables.values()) gpu.release({ label, shape: [], memory });
    },
  };
}

function find(checkpoint: Checkpoint, { name, shape }: Wanted, others: string[]): TensorInfo {
  const info = [name, ...others]
    .map((candidate) => checkpoint.tensors.get(candidate))
    .find((tensor) => tensor !== undefined);
  if (!info) throw new UserError(`checkpoint: has no tensor ${[name, ...others].join(" or ")}; is it the right model?`);
  const sameCount = size(info.shape) === size(shape);
  const sameFirst = info.shape.length < 2 || info.shape[0] === shape[0] || shape.length === info.shape.length;
  if (!sameCount || !sameFirst) {
    throw new UserError(
      `checkpoint: ${info.name} has shape [${info.shape.join(", ")}], config.json asks for [${shape.join(", ")}]; they belong to different models`,
    );
  }
  return info;
}

const loaders = { matrix: loadMatrix, vector: loadVector, table: loadTable };

interface Found {
  readonly want: Wanted;
  readonly info: TensorInfo;
}

/** Software adapters do not say when memory ran out, so what does not fit is refused before the first byte is read. */
async function checkRoom(gpu: Gpu, checkpoint: Checkpoint, found: readonly Found[]): Promise<void> {
  if (isDry(gpu)) return;
  const dry = openDry(gpu.info);
  for (const { want, info } of found) await loaders[want.form](dry, checkpoint, want, info);
  const free = gpu.info.memoryBytes - gpu.bytes;
  if (dry.bytes <= free) return;
  throw new MemoryError(
    `the model's weights need ${mebibytes(dry.bytes)} on the device, of which ${mebibytes(free)} may be used; ` +
      "take a float16 checkpoint or a machine with more memory, or raise NOTICE_MEMORY (in bytes)",
  );
}

async function loadMatrix(
  gpu: Gpu,
  checkpoint: Checkpoint,
  { name, shape }: Wanted,
  info: TensorInfo,
): Promise<Matrix> {
  const [outputs, inputs] = shape as [number, number];
  const matrix = emptyMatrix(gpu, name, outputs, inputs, staysHalf(info, inputs));
  if (isDry(gpu)) return matrix;
  const rowBytes = info.bytes / outputs;
  const step = Math.max(4, Math.floor(PIECE / rowBytes / 4) * 4);
  for (let row = 0; row < outputs; row += step) {
    const count = Math.min(step, outputs - row);
    const bytes = await checkpoint.readRange(info.name, row * rowBytes, count * rowBytes);
    writeRows(gpu, matrix, row, deviceWords(bytes, info, matrix.half));
  }
  return matrix;
}

async function loadVector(
  gpu: Gpu,
  checkpoint: Checkpoint,
  { name, shape }: Wanted,
  info: TensorInfo,
): Promise<Tensor> {
  return gpu.keep(isDry(gpu) ? gpu.tensor(name, shape) : gpu.upload(name, shape, await checkpoint.f32(info.name)));
}

async function loadTable(gpu: Gpu, checkpoint: Checkpoint, { name, shape }: Wanted, info: TensorInfo): Promise<Table> {
  const [entries, width] = shape as [number, number];
  const half = staysHalf(info, width);
  const rowWords = half ? width / 2 : width;
  const { memory } = gpu.keep(gpu.tensor(name, [entries, rowWords]));
  if (isDry(gpu)) return { label: name, entries, width, half, memory };
  const rowBytes = info.bytes / entries;
  const step = Math.max(1, Math.floor(PIECE / rowBytes));
  for (let row = 0; row < entries; row += step) {
    const count = Math.min(step, entries - row);
    const bytes = await checkpoint.readRange(info.name, row * rowBytes, count * rowBytes);
    gpu.write(memory, row * rowWords * 4, deviceWords(bytes, info, half));
    gpu.submit();
  }
  return { label: name, entries, width, half, memory };
}

/** A dry run takes room for weights, but none of their values. */
const isDry = (gpu: Gpu): boolean => gpu.info.kind === "none";

/** Pairs of float16 numbers share a word, so an odd width is widened. */
const staysHalf = (info: TensorInfo, width: number): boolean => info.dtype === "F16" && width % 2 === 0;

function deviceWords(bytes: Uint8Array<ArrayBuffer>, info: TensorInfo, half: boolean): Uint32Array {
  const { buffer, byteOffset, byteLength } = bytes;
  if (info.dtype === "F32" || half) return new Uint32Array(buffer, byteOffset, byteLength / 4);
  const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
  if (info.dtype === "F16") return new Uint32Array(widenHalf(halves).buffer);
  if (info.dtype === "BF16") return new Uint32Array(widenBfloat(halves).buffer);
  throw new UserError(`checkpoint: ${info.name} is ${info.dtype}, expected F32, F16 or BF16; convert the checkpoint`);
}
