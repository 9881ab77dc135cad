/**
 * Which weights a forward asks for is found by a dry run of it, then each is streamed from the checkpoint to the device.
 */
import { mebibytes } from "../kernels/arena.ts";
import { MemoryError } from "../kernels/errors.ts";
import type { Table } from "../kernels/gather.ts";
import type { Gpu } from "../kernels/gpu.ts";
import type { Matrix } from "../kernels/matrix.ts";
import { size, type Tensor } from "../kernels/tensor.ts";
import type { Checkpoint, TensorInfo } from "./checkpoint.ts";
import { UserError } from "./errors.ts";
import { type Found, formatOf, loaders } from "./load-weight.ts";
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
      format: "float32",
      memory: want(name, "matrix", [outputs, inputs]),
    }),
    vector: (name, shape): Tensor => ({ label: name, shape, memory: want(name, "vector", shape) }),
    table: (name, entries, width): Table => ({
      label: name,
      entries,
      width,
      half: false,
      parts: [want(name, "table", [entries, width])],
      partEntries: entries,
    }),
  };
  return { weights, wanted };
}

export interface LoadedWeights extends Weights {
  readonly matrices: Iterable<Matrix>;
  release(): void;
}

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

/**
 * Loads what is wanted. float16 matrices and tables stay float16 on the device; everything else becomes float32, except
 * the matrices that `quantized` says, which become NF4.
 * `rename` gives other names under which a checkpoint may hold a tensor.
 * @throws UserError for a missing tensor or another shape, by name
 */
export async function loadWeights(
  gpu: Gpu,
  checkpoint: Checkpoint,
  wanted: Iterable<Wanted>,
  options: {
    rename?: (name: string) => string[];
    quantized?: (name: string) => boolean;
    onProgress?: (progress: LoadProgress) => void;
    signal?: AbortSignal;
  } = {},
): Promise<LoadedWeights> {
  const found = [...wanted].map((want): Found => {
    const info = find(checkpoint, want, options.rename?.(want.name) ?? []);
    return { want, info, format: formatOf(want, info, options.quantized?.(want.name) ?? false) };
  });
  const totalBytes = found.reduce((total, { info }) => total + info.bytes, 0);
  const matrices = new Map<string, Matrix>();
  const vectors = new Map<string, Tensor>();
  const tables = new Map<string, Table>();
  const release = () => {
    for (const { label, texture, memory } of matrices.values()) {
      if (texture) gpu.destroyTexture(texture);
      if (memory) gpu.release({ label, shape: [], memory });
    }
    gpu.release(...vectors.values());
    for (const { label, parts } of tables.values())
      gpu.release(...parts.map((memory) => ({ label, shape: [], memory })));
  };
  let loadedBytes = 0;
  try {
    const load = async (one: Found) => {
      const { name, form } = one.want;
      if (form === "matrix") matrices.set(name, await loaders.matrix(gpu, checkpoint, one));
      if (form === "vector") vectors.set(name, await loaders.vector(gpu, checkpoint, one));
      if (form === "table") tables.set(name, await loaders.table(gpu, checkpoint, one));
      loadedBytes += one.info.bytes;
      options.onProgress?.({ loadedBytes, totalBytes });
    };
    for (const some of groups(found)) {
      options.signal?.throwIfAborted();
      await Promise.all(some.map(load));
    }
    await gpu.finish();
  } catch (error) {
    release();
    throw error;
  }
  const get = <T>(map: Map<string, T>, name: string): T => {
    const value = map.get(name);
    if (value === undefined) throw new Error(`weights: ${name} was not loaded; the dry run did not ask for it`);
    return value;
  };
  return {
    matrix: (name) => get(matrices, name),
    vector: (name) => get(vectors, name),
    table: (name) => get(tables, name),
    matrices: matrices.values(),
    release,
  };
}

const AT_ONCE = 64;

/** What is loaded side by side: vectors, because one after the other each would wait for the disk; all else is large. */
function groups(found: readonly Found[]): Found[][] {
  const vectors = found.filter(({ want }) => want.form === "vector");
  const many = Array.from({ length: Math.ceil(vectors.length / AT_ONCE) }, (_, i) =>
    vectors.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
  );
  return [...many, ...found.filter(({ want }) => want.form !== "vector").map((one) => [one])];
}

function find(checkpoint: Checkpoint, { name, shape }: Wanted, others: string[]): TensorInfo {
  const info = [name, ...others]
    .map((candidate) => checkpoint.tensors.get(candidate))
    .find((tensor) => tensor !== undefined);
  if (!info) throw new UserError(`checkpoint: has no tensor ${[name, ...others].join(" or ")}; is it the right model?`);
  const sameCount = size(info.shape) === size(shape);
  const same =
    info.shape.length === shape.length
      ? String(info.shape) === String(shape)
      : sameCount && (info.shape.length < 2 || shape.length < 2 || info.shape[0] === shape[0]); // flattened convolutions
  if (!same) {
    throw new UserError(
      `checkpoint: ${info.name} has shape [${info.shape.join(", ")}], config.json asks for [${shape.join(", ")}]; they belong to different models`,
    );
  }
  return info;
}

/** Software adapters do not say when memory ran out, so what does not fit is refused before the first byte is read. */
export function checkRoom(gpu: Gpu, needed: number): void {
  const free = gpu.info.memoryBytes - gpu.bytes;
  if (needed <= free) return;
  throw new MemoryError(
    `the model's weights need ${mebibytes(needed)} on the device, of which ${mebibytes(free)} may be used; ` +
      "take a float16 checkpoint, `--quantize nf4`, or a machine with more memory, or raise NOTICE_MEMORY (in bytes)",
  );
}
