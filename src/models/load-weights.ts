/** Streams the weights that a forward asks for from the checkpoint to the device. */
import { mebibytes } from "../kernels/arena.ts";
import { MemoryError } from "../kernels/errors.ts";
import type { Table } from "../kernels/gather.ts";
import type { Gpu } from "../kernels/gpu.ts";
import type { Matrix } from "../kernels/matrix.ts";
import { size, type Tensor } from "../kernels/tensor.ts";
import type { Checkpoint, TensorInfo } from "./checkpoint.ts";
import { UserError } from "./errors.ts";
import { type Found, formatOf, loaders } from "./load-weight.ts";
import { atTheSameTime, type Placed, runs, sideBySide } from "./side-by-side.ts";
import type { Asked, Wanted } from "./wanted.ts";
import type { Weights } from "./weights.ts";

export interface LoadedWeights extends Weights {
  readonly matrices: readonly Matrix[];
  release(): void;
}

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

/**
 * Loads what is wanted. float16 matrices and tables stay float16 on the device; everything else becomes float32, except
 * the matrices that `quantized` says, which become NF4. Matrices that were asked for side by side lie so, where they can.
 * `rename` gives other names under which a checkpoint may hold a tensor.
 * @throws UserError for a missing tensor or another shape, by name
 */
export async function loadWeights(
  gpu: Gpu,
  checkpoint: Checkpoint,
  { wanted, joined }: Asked,
  options: {
    rename?: (name: string) => string[];
    quantized?: (name: string) => boolean;
    onProgress?: (progress: LoadProgress) => void;
    signal?: AbortSignal;
  } = {},
): Promise<LoadedWeights> {
  const found = new Map(
    [...wanted].map(([name, want]): [string, Found] => {
      const info = find(checkpoint, want, options.rename?.(name) ?? []);
      return [name, { want, info, format: formatOf(want, info, options.quantized?.(name) ?? false) }];
    }),
  );
  const totalBytes = [...found.values()].reduce((total, { info }) => total + info.bytes, 0);
  const placed = new Map<string, Placed>();
  const vectors = new Map<string, Tensor>();
  const tables = new Map<string, Table>();
  const matrices = () => new Set([...placed.values()].map(({ linears }) => linears));
  const release = () => {
    for (const { weight, bias } of matrices()) {
      if (weight.texture) gpu.destroyTexture(weight.texture);
      if (weight.memory) gpu.release({ label: weight.label, shape: [], memory: weight.memory });
      if (bias) gpu.release(bias);
    }
    gpu.release(...vectors.values());
    for (const { label, parts } of tables.values())
      gpu.release(...parts.map((memory) => ({ label, shape: [], memory })));
  };
  let loadedBytes = 0;
  try {
    const load = async (some: readonly Found[]) => {
      const { name, form } = some[0]!.want;
      if (form === "matrix") {
        const biases = some.flatMap(({ want }) => found.get(want.bias ?? "") ?? []);
        const linears = await loaders.linears(gpu, checkpoint, some, biases);
        for (const [index, { want }] of some.entries()) placed.set(want.name, { linears, index });
        loadedBytes += biases.reduce((total, { info }) => total + info.bytes, 0);
      }
      if (form === "vector") vectors.set(name, await loaders.vector(gpu, checkpoint, some[0]!));
      if (form === "table") tables.set(name, await loaders.table(gpu, checkpoint, some[0]!));
      loadedBytes += some.reduce((total, { info }) => total + info.bytes, 0);
      options.onProgress?.({ loadedBytes, totalBytes });
    };
    for (const some of atTheSameTime(sideBySide(gpu, found, joined))) {
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
    linears: (names) => runs(names.map(({ weight }) => get(placed, weight))),
    vector: (name) => get(vectors, name),
    table: (name) => get(tables, name),
    matrices: [...matrices()].map(({ weight }) => weight),
    release,
  };
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
