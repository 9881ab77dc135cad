import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { halfOverride } from "./matmul.ts";
import { gather as shader } from "./shaders.gen.ts";
import { type Memory, size, type Tensor } from "./tensor.ts";

/** A table [entries, width] on the device, in float32 or as float16 two to a word. */
export interface Table {
  readonly label: string;
  readonly entries: number;
  readonly width: number;
  readonly half: boolean;
  /** Pieces of `partEntries` entries, the last perhaps of fewer: an adapter binds only so many bytes at once. */
  readonly parts: readonly Memory[];
  readonly partEntries: number;
}

/** Rows of a table by number: ids [rows, tokens] (unsigned integers below `entries`) to [rows, tokens, width]. */
export function gather(gpu: Gpu, label: string, table: Table, ids: Tensor): Tensor {
  const { entries, width, half, parts, partEntries } = table;
  const y = gpu.tensor(label, [...ids.shape, width]);
  const count = size(y.shape);
  for (const [i, part] of parts.entries()) {
    const first = i * partEntries;
    gpu.run(
      shader,
      { WIDTH: width, HALF: half, ...halfOverride(gpu) },
      { table: part, ids: ids.memory, y: y.memory },
      { count, first, entries: Math.min(partEntries, entries - first) },
      groupsOf(count),
    );
  }
  return y;
}

/** The rows of a tensor [rows, width] as a table. */
export const asTable = ({ label, memory }: Tensor, entries: number, width: number): Table => ({
  label,
  entries,
  width,
  half: false,
  parts: [memory],
  partEntries: entries,
});

/** Room for a table in pieces of at most `partBytes`; `writeEntries` then fills it. */
export function emptyTable(
  gpu: Gpu,
  label: string,
  entries: number,
  width: number,
  half: boolean,
  partBytes = gpu.info.maxBindingBytes,
): Table {
  const rowWords = half ? width / 2 : width;
  const partEntries = Math.min(entries, Math.floor(partBytes / 4 / rowWords));
  const parts = Array.from({ length: Math.ceil(entries / partEntries) }, (_, i) => {
    const own = Math.min(partEntries, entries - i * partEntries);
    return gpu.keep(gpu.tensor(label, [own, rowWords])).memory;
  });
  return { label, entries, width, half, parts, partEntries };
}

/** Entries `first`.. of a table: whole rows of words as stored in the checkpoint. */
export function writeEntries(gpu: Gpu, { width, half, parts, partEntries }: Table, first: number, words: Uint32Array) {
  const rowWords = half ? width / 2 : width;
  for (let done = 0; done < words.length; ) {
    const entry = first + done / rowWords;
    const own = Math.min(words.length - done, (partEntries - (entry % partEntries)) * rowWords);
    const part = parts[Math.floor(entry / partEntries)]!;
    gpu.write(part, (entry % partEntries) * rowWords * 4, words.subarray(done, done + own));
    done += own;
  }
  gpu.submit();
}

/** As `writeEntries`, with bytes that `read` puts right into memory that the device copies from. */
export async function streamEntries(
  gpu: Gpu,
  { width, half, parts, partEntries }: Table,
  first: number,
  count: number,
  read: (entry: number, into: Uint8Array) => Promise<void>,
): Promise<void> {
  const entryBytes = half ? width * 2 : width * 4;
  for (let entry = first; entry < first + count; ) {
    const own = Math.min(first + count - entry, partEntries - (entry % partEntries));
    const at = entry;
    const memory = parts[Math.floor(entry / partEntries)]!;
    const place = { memory, offset: (entry % partEntries) * entryBytes };
    await gpu.stream(place, own * entryBytes, (into) => read(at, into));
    entry += own;
  }
}
