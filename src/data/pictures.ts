/** Which pictures are there and can be read: a missing one costs its rows, it never becomes a black one (D23). */
import { decodeImage } from "#decode";
import { hashOf } from "../models/hash.ts";
import { readBytes } from "./table.ts";

/** For each path the sha256 of the file, or what is wrong with it. */
export type Pictures = ReadonlyMap<string, { readonly sha256: string } | { readonly problem: string }>;

export interface LookOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Decodes each picture once, a few at a time. */
export async function lookAtPictures(
  paths: readonly string[],
  { signal, onProgress }: LookOptions = {},
): Promise<Pictures> {
  const wanted = [...new Set(paths)];
  const found = new Map<string, { sha256: string } | { problem: string }>(
    wanted.map((path) => [path, { problem: "" }]),
  );
  let next = 0;
  let done = 0;
  const worker = async () => {
    while (next < wanted.length) {
      signal?.throwIfAborted();
      const path = wanted[next++]!;
      found.set(path, await lookAt(path));
      onProgress?.(++done, wanted.length);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  return found;
}

async function lookAt(path: string): Promise<{ sha256: string } | { problem: string }> {
  try {
    const bytes = await readBytes(path);
    await decodeImage(bytes, path);
    return { sha256: hashOf(bytes) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

export const isReadable = (pictures: Pictures, path: string): boolean => "sha256" in (pictures.get(path) ?? {});
