/**
 * Which weights a forward asks for is found by a dry run of it, then each is streamed from the checkpoint to the device.
 */
import { mebibytes } from "../kernels/arena.ts";
import { MemoryError } from "../kernels/errors.ts";
import type { Table } from "../kernels/gather.ts";
import type { Gpu } from "../kernels/gpu.ts";
import { rowsOf } from "../kernels/matmul.ts";
import { isNf4, type Matrix, NF4_BLOCK, rowWords } from "../kernels/matrix.ts";
import { size, type Tensor } from "../kernels/tensor.ts";
import type { Checkpoint, TensorInfo } from "./checkpoint.ts";
import { UserError } from "./errors.ts";
import { type Found, formatOf, loaders } from "./load-weight.ts";
import type { Linears, Weights } from "./weights.ts";

export interface Wanted {
  readonly name: string;
  /** A bias is loaded with its matrix. */
  readonly form: "matrix" | "bias" | "vector" | "table";
  readonly shape: readonly number[];
  readonly bias?: string;
}

/** What a forward asks for. */
export interface Asked {
  readonly wanted: ReadonlyMap<string, Wanted>;
  /** Names of matrices that were asked for side by side. */
  readonly joined: readonly (readonly string[])[];
}

/** Weights without values, for a dry run; notes what was asked for, in order. */
export function wantedWeights(): Asked & { weights: Weights } {
  const wanted = new Map<string, Wanted>();
  const joined: string[][] = [];
  const want = (one: Wanted) => {
    wanted.set(one.name, { ...wanted.get(one.name), ...one });
    return { id: 0, bytes: 4 * size(one.shape) };
  };
  const weights: Weights = {
    linears(names, outputs, inputs) {
      for (const { weight, bias } of names) {
        want({ name: weight, form: "matrix", shape: [outputs, inputs], ...(bias !== null && { bias }) });
        if (bias !== null) want({ name: bias, form: "bias", shape: [outputs] });
      }
      if (names.length > 1) joined.push(names.map(({ weight }) => weight));
      const all = names.length * outputs;
      const memory = { id: 0, bytes: 4 * all * inputs };
      const bias = { label: "bias", shape: [all], memory };
      const shape = { stored: all, first: 0, outputs: all, inputs };
      return [{ layers: names.length, weight: { label: names[0]!.weight, ...shape, format: "float32", memory }, bias }];
    },
    vector: (name, shape): Tensor => ({ label: name, shape, memory: want({ name, form: "vector", shape }) }),
    table: (name, entries, width): Table => ({
      label: name,
      entries,
      width,
      half: false,
      parts: [want({ name, form: "table", shape: [entries, width] })],
      partEntries: entries,
    }),
  };
  return { weights, wanted, joined };
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
  const linears = new Map<string, Placed>();
  const vectors = new Map<string, Tensor>();
  const tables = new Map<string, Table>();
  const matrices = () => new Set([...linears.values()].map(({ piece }) => piece));
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
        const piece = await loaders.linears(gpu, checkpoint, some, biases);
        for (const [index, { want }] of some.entries()) linears.set(want.name, { piece, index });
        loadedBytes += biases.reduce((total, { info }) => total + info.bytes, 0);
      }
      if (form === "vector") vectors.set(name, await loaders.vector(gpu, checkpoint, some[0]!));
      if (form === "table") tables.set(name, await loaders.table(gpu, checkpoint, some[0]!));
      loadedBytes += some.reduce((total, { info }) => total + info.bytes, 0);
      options.onProgress?.({ loadedBytes, totalBytes });
    };
    for (const some of sideBySide(pieces(gpu, found, joined))) {
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
    linears: (names) => runs(names.map(({ weight }) => get(linears, weight))),
    vector: (name) => get(vectors, name),
    table: (name) => get(tables, name),
    matrices: [...matrices()].map(({ weight }) => weight),
    release,
  };
}

/** Where a matrix lies: the how manyth of a piece. */
interface Placed {
  readonly piece: Linears;
  readonly index: number;
}

/** Neighbours of one piece together. */
function runs(placed: readonly Placed[]): Linears[] {
  const found: { piece: Linears; first: number; count: number }[] = [];
  for (const { piece, index } of placed) {
    const last = found.at(-1);
    if (last?.piece === piece && index === last.first + last.count) last.count += 1;
    else found.push({ piece, first: index, count: 1 });
  }
  return found.map(({ piece, first, count }) => {
    const outputs = piece.weight.outputs / piece.layers;
    return { ...piece, layers: count, weight: rowsOf(piece.weight, first * outputs, count * outputs) };
  });
}

/** What is loaded as one: matrices that are asked for side by side, the longest lists first, and everything else alone. */
function pieces(gpu: Gpu, found: ReadonlyMap<string, Found>, joined: Asked["joined"]): Found[][] {
  const listOf = new Map<string, readonly string[]>();
  for (const names of [...joined].sort((a, b) => b.length - a.length)) {
    const free = names.every((name) => !listOf.has(name)) && new Set(names).size === names.length;
    if (
      !free ||
      !canJoin(
        gpu,
        names.map((name) => found.get(name)!),
      )
    )
      continue;
    for (const name of names) listOf.set(name, names);
  }
  return [...found.values()]
    .filter(({ want }) => want.form !== "bias" && (listOf.get(want.name)?.[0] ?? want.name) === want.name)
    .map((one) => (listOf.get(one.want.name) ?? [one.want.name]).map((name) => found.get(name)!));
}

/** One piece of memory holds them all, and each of them begins where its kernels can find it. */
function canJoin(gpu: Gpu, some: readonly Found[]): boolean {
  const [{ want, format }] = some as [Found];
  const [outputs, inputs] = want.shape as [number, number];
  const alike = some.every(
    (other) =>
      other.format === format &&
      other.info.dtype === some[0]!.info.dtype &&
      String(other.want.shape) === String(want.shape) &&
      (other.want.bias === undefined) === (want.bias === undefined),
  );
  const bytes = 4 * some.length * outputs * rowWords(format, inputs);
  return (
    alike &&
    outputs % 4 === 0 &&
    (!isNf4(format) || (outputs * inputs) % NF4_BLOCK === 0) &&
    (gpu.info.tier === "D" || bytes <= gpu.info.maxBindingBytes)
  );
}

const AT_ONCE = 64;

/** What is loaded at the same time: vectors, because one after the other each would wait for the disk; all else is large. */
function sideBySide(all: readonly Found[][]): Found[][][] {
  const isVector = ([one]: Found[]) => one!.want.form === "vector";
  const vectors = all.filter(isVector);
  const many = Array.from({ length: Math.ceil(vectors.length / AT_ONCE) }, (_, i) =>
    vectors.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
  );
  return [...many, ...all.filter((one) => !isVector(one)).map((one) => [one])];
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
