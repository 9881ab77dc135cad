/** NumPy's .npz files: arrays by name, in a zip file without compression. The same arrays give the same bytes. */
import { zipSync } from "fflate";
import { UserError } from "../models/errors.ts";
import { type NpyArrays, npy } from "./npy.ts";

/** Sizes in a zip file have 32 bits; some room for the names. */
const largestZip = 2 ** 32 - 2 ** 20;

export function npzBytes(arrays: NpyArrays): Uint8Array {
  const files = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, npy(array)] as const);
  const size = files.reduce((sum, [, bytes]) => sum + bytes.length, 0);
  if (size > largestZip) {
    const gigabytes = (size / 2 ** 30).toFixed(1);
    throw new UserError(
      `scores.npz: would hold ${gigabytes} GiB, its format ends at 4; scores.csv is complete, or split the run (--shard)`,
    );
  }
  // A date without a zone, so that the bytes are the same everywhere.
  return zipSync(Object.fromEntries(files), { level: 0, mtime: new Date(1980, 0, 1) });
}
