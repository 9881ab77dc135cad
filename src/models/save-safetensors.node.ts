/** Writes safetensors files, in pieces, so that a tensor may be larger than memory. */
import { UserError } from "./errors.ts";
import { saveFile } from "./files.node.ts";
import { type DType, dtypeBits, LENGTH_BYTES, parseHeader } from "./safetensors-header.ts";

export interface TensorToSave {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The little-endian bytes in the tensor's dtype, or a function that gives them part by part when their turn comes. */
  readonly data: ArrayBufferView | (() => Iterable<Uint8Array> | AsyncIterable<Uint8Array>);
}

/**
 * Writes the file whole or not at all. Wide dtypes come first, so that every tensor starts at a multiple of its width.
 * @throws CheckpointError for tensors that no reader would accept, UserError for data of another length or a full disk
 */
export async function saveSafetensors(
  path: string,
  tensors: readonly TensorToSave[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const placed = place(tensors);
  const fields = placed.map(({ name, dtype, shape, begin, end }) =>
    field(name, { dtype, shape, data_offsets: [begin, end] }),
  );
  if (Object.keys(metadata).length > 0) fields.unshift(field("__metadata__", metadata));
  const text = new TextEncoder().encode(`{${fields.join(",")}}`);
  const header = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(" ".charCodeAt(0));
  header.set(text);
  parseHeader(path, header, LENGTH_BYTES + header.length + (placed.at(-1)?.end ?? 0));
  await saveFile(path, pieces(path, header, placed));
}

const field = (name: string, value: object) => `${JSON.stringify(name)}:${JSON.stringify(value)}`;

interface Placed extends TensorToSave {
  /** Bytes from the start of the data. */
  readonly begin: number;
  readonly end: number;
}

function place(tensors: readonly TensorToSave[]): Placed[] {
  let end = 0;
  return [...tensors]
    .sort((a, b) => dtypeBits[b.dtype] - dtypeBits[a.dtype])
    .map((tensor) => {
      const begin = end;
      end += Math.ceil((dtypeBits[tensor.dtype] * tensor.shape.reduce((a, b) => a * b, 1)) / 8);
      return { ...tensor, begin, end };
    });
}

async function* pieces(path: string, header: Uint8Array, tensors: readonly Placed[]): AsyncGenerator<Uint8Array> {
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  yield length;
  yield header;
  for (const { name, data, begin, end } of tensors) {
    let bytes = 0;
    for await (const piece of typeof data === "function" ? data() : [viewBytes(data)]) {
      bytes += piece.length;
      yield piece;
    }
    if (bytes === end - begin) continue;
    throw new UserError(
      `${path}: ${name} came as ${bytes} bytes, expected ${end - begin} by its dtype and shape; nothing was written`,
    );
  }
}

const viewBytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint8Array(buffer, byteOffset, byteLength);
