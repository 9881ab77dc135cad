/** Tensors by name out of safetensors files, one or many: headers first, data only when asked for. */

import { CheckpointError } from "./checkpoint-error.ts";
import { UserError } from "./errors.ts";
import type { ByteSource, Folder } from "./files.ts";
import { widenBfloat, widenHalf } from "./half.ts";
import { headerLength, LENGTH_BYTES, parseHeader, type TensorInfo } from "./safetensors-header.ts";
import { checkShards, readShardIndex, SHARD_INDEX } from "./shard-index.ts";

export { CheckpointError, type CheckpointProblem } from "./checkpoint-error.ts";
export type { DType, TensorInfo } from "./safetensors-header.ts";

export interface Checkpoint {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** All bytes of a tensor, in a buffer of their own. */
  read(name: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** `length` bytes from byte `offset` of a tensor, in a buffer of their own. */
  readRange(name: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** The bytes of a tensor from byte `offset` on, as many as `into` has. */
  readInto(name: string, offset: number, into: Uint8Array): Promise<void>;
  /** A tensor of F32, F16, BF16 (exactly) or F64 (rounded to the nearest). */
  f32(name: string): Promise<Float32Array<ArrayBuffer>>;
  /** A tensor of whole numbers of 8 to 64 bits; beyond 2^53 - 1 they are refused. */
  integers(name: string): Promise<number[]>;
  close(): Promise<void>;
}

/**
 * Reads the header of a safetensors file, and none of its data. The checkpoint owns the source; a failure closes it.
 * @throws CheckpointError for a file that is not whole and well-formed
 */
export async function openSafetensors(source: ByteSource): Promise<Checkpoint> {
  return joined(source.name, [await readFileHeader(source)]);
}

/**
 * Opens a model's weights: `model.safetensors`, or else the shards that `model.safetensors.index.json` lists.
 * @throws CheckpointError for weights that are missing, in another format, damaged or at odds with their index
 */
export async function openCheckpoint(folder: Folder): Promise<Checkpoint> {
  if (await folder.has("model.safetensors")) return openSafetensors(await folder.open("model.safetensors"));
  if (await folder.has(SHARD_INDEX)) return openShards(folder);
  const expected = `expected model.safetensors or ${SHARD_INDEX}`;
  for (const pickle of ["pytorch_model.bin", "pytorch_model.bin.index.json"]) {
    if (!(await folder.has(pickle))) continue;
    const remedy =
      "in Python load the folder with the model's class, then save_pretrained(folder, safe_serialization=True)";
    throw new CheckpointError(
      "NoSafetensors",
      `${folder.name}: has only ${pickle}, ${expected}; to convert it, ${remedy}`,
    );
  }
  throw new CheckpointError("NoSafetensors", `${folder.name}: found no weights, ${expected}; download the model again`);
}

async function openShards(folder: Folder): Promise<Checkpoint> {
  const shardOf = await readShardIndex(folder);
  const shards = new Map<string, OpenFile>();
  try {
    for (const shard of new Set(shardOf.values())) shards.set(shard, await readFileHeader(await folder.open(shard)));
    checkShards(folder, shardOf, new Map([...shards].map(([shard, { tensors }]) => [shard, tensors])));
  } catch (error) {
    for (const { source } of shards.values()) await source.close();
    throw error;
  }
  return joined(folder.name, [...shards.values()]);
}

interface OpenFile {
  readonly source: ByteSource;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

async function readFileHeader(source: ByteSource): Promise<OpenFile> {
  const { name, size } = source;
  try {
    const length = headerLength(name, await source.read(0, Math.min(LENGTH_BYTES, size)), size);
    return { source, ...parseHeader(name, await source.read(LENGTH_BYTES, length), size) };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Files of different tensors as one checkpoint. */
function joined(name: string, files: readonly OpenFile[]): Checkpoint {
  const metadata = new Map<string, string>();
  const tensors = new Map<string, TensorInfo>();
  const sources = new Map<string, ByteSource>();
  for (const file of files) {
    for (const [key, text] of file.metadata) metadata.set(key, text);
    for (const [tensor, info] of file.tensors) {
      tensors.set(tensor, info);
      sources.set(tensor, file.source);
    }
  }

  function infoOf(tensor: string): TensorInfo {
    const info = tensors.get(tensor);
    if (info) return info;
    throw new UserError(`${name}: has no tensor ${tensor} among its ${tensors.size}; is it the right model?`);
  }

  function placeOf(tensor: string, offset: number, length: number): number {
    const { begin, bytes, file } = infoOf(tensor);
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
    if (whole && offset + length <= bytes) return begin + offset;
    throw new UserError(
      `${file}: asked for ${length} bytes from ${offset} of ${tensor}, expected a range within its ${bytes} bytes`,
    );
  }

  async function readRange(tensor: string, offset: number, length: number, signal?: AbortSignal) {
    const place = placeOf(tensor, offset, length);
    const data = await sources.get(tensor)!.read(place, length, signal);
    if (data.length !== length) {
      const { file } = infoOf(tensor);
      throw new UserError(`${file}: got ${data.length} bytes of ${tensor}, expected ${length}; is the file whole?`);
    }
    return data.buffer.byteLength === length ? data : data.slice();
  }

  const read = async (tensor: string, signal?: AbortSignal) => readRange(tensor, 0, infoOf(tensor).bytes, signal);

  return {
    metadata,
    tensors,
    read,
    readRange,
    readInto: async (tensor, offset, into) => sources.get(tensor)!.readInto(placeOf(tensor, offset, into.length), into),
    f32: async (tensor) => toFloats(infoOf(tensor), (await read(tensor)).buffer),
    integers: async (tensor) => toIntegers(infoOf(tensor), (await read(tensor)).buffer),
    async close() {
      for (const { source } of files) await source.close();
    },
  };
}

function toFloats({ name, dtype, file }: TensorInfo, data: ArrayBuffer): Float32Array<ArrayBuffer> {
  if (dtype === "F32") return new Float32Array(data);
  if (dtype === "F16") return widenHalf(new Uint16Array(data));
  if (dtype === "BF16") return widenBfloat(new Uint16Array(data));
  if (dtype === "F64") return new Float32Array(new Float64Array(data));
  throw new UserError(`${file}: ${name} is ${dtype}, expected F32, F16, BF16 or F64; convert the checkpoint`);
}

const integerArrays = {
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I16: Int16Array,
  U32: Uint32Array,
  I32: Int32Array,
  U64: BigUint64Array,
  I64: BigInt64Array,
} as const;

function toIntegers({ name, dtype, file }: TensorInfo, data: ArrayBuffer): number[] {
  if (!(dtype in integerArrays)) {
    const expected = Object.keys(integerArrays).join(", ");
    throw new UserError(`${file}: ${name} is ${dtype}, expected whole numbers: ${expected}; convert it`);
  }
  const values = new integerArrays[dtype as keyof typeof integerArrays](data);
  return Array.from<number | bigint, number>(values, (value) => {
    if (Number.isSafeInteger(Number(value))) return Number(value);
    throw new UserError(`${file}: ${name} holds ${value}, expected numbers within 2^53 - 1 either way`);
  });
}
