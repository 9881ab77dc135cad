/** Safetensors files in memory, well-formed or not. */
import { expect } from "vitest";
import type { CheckpointError } from "../../src/models/checkpoint.ts";
import { UserError } from "../../src/models/errors.ts";
import type { ByteSource } from "../../src/models/files.ts";

export const utf8 = new TextEncoder();

/** A safetensors file out of its parts; `data` counts up from 1 if only its length is given. */
export function fileOf(
  header: string | Uint8Array,
  data: number | Uint8Array = 0,
  length?: bigint,
): Uint8Array<ArrayBuffer> {
  const text = typeof header === "string" ? utf8.encode(header) : header;
  const body = typeof data === "number" ? Uint8Array.from({ length: data }, (_, i) => i + 1) : data;
  const file = new Uint8Array(8 + text.length + body.length);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(body, 8 + text.length);
  return file;
}

/** Memory as a source that counts what is read, and whether it was closed. */
export function memory(bytes: Uint8Array<ArrayBuffer>, name = "m.safetensors", size = bytes.length) {
  const source = {
    name,
    size,
    reads: [] as [number, number][],
    closed: 0,
    async read(offset: number, length: number) {
      source.reads.push([offset, length]);
      return bytes.slice(offset, offset + length);
    },
    async readInto(offset: number, into: Uint8Array) {
      into.set(await source.read(offset, into.length));
    },
    async close() {
      source.closed++;
    },
  };
  return source satisfies ByteSource;
}

/** The UserError that `act` must end in. */
export async function refusal(act: Promise<unknown>): Promise<UserError> {
  const error = await act.then(
    () => expect.unreachable("nothing was refused"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}
export const kindOf = async (act: Promise<unknown>) => ((await refusal(act)) as CheckpointError).kind;

export const entry = (dtype: string, shape: string, offsets: string) =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
