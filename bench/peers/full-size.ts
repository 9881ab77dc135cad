/** BLIP-VQA-base with synthetic weights, made once and kept in the temporary folder for all benches. */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeBlip } from "../../test/fullsize/model-folder.ts";

export async function fullSizeBlip(dtype: "F32" | "F16"): Promise<string> {
  const folder = join(tmpdir(), `notice-bench-blip-${dtype.toLowerCase()}`);
  if (existsSync(folder)) return folder;
  const half = `${folder}.${process.pid}`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half);
  await writeBlip(half, dtype);
  renameSync(half, folder);
  return folder;
}
