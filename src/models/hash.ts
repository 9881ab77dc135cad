import { createHash } from "node:crypto";
import type { ByteSource } from "./files.ts";

/** sha256 in hexadecimal digits. */
export function hashOf(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** sha256 of a whole file, read in pieces. */
export async function hashOfSource(source: ByteSource): Promise<string> {
  const hash = createHash("sha256");
  const piece = 16 * 2 ** 20;
  for (let at = 0; at < source.size; at += piece) hash.update(await source.read(at, Math.min(piece, source.size - at)));
  return hash.digest("hex");
}
