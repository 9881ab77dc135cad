/**
 * Loading a checkpoint of 1.5 GB (0.75 GB in float16) against reading its bytes into one piece of memory again and again,
 * both from the page cache, and against writing as many bytes into memory that is new, which loading cannot do without.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { openGpu } from "#gpu";
import { loadModel } from "../../src/models/load.ts";
import { fullSizeBlip } from "./full-size.ts";

const PIECE = 16 * 2 ** 20;

for (const dtype of ["F32", "F16"] as const) {
  const folder = await fullSizeBlip(dtype);
  const file = join(folder, "model.safetensors");
  const { size } = statSync(file);
  readAll(file);
  let [reading, loading, heap] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0];
  let name = "";
  for (let round = 0; round < 2; round++) {
    reading = Math.min(reading, readAll(file));
    const gpu = await openGpu();
    name = gpu.info.name;
    const watch = () => {
      const { heapUsed, external } = process.memoryUsage();
      heap = Math.max(heap, heapUsed + external);
    };
    const started = performance.now();
    const model = await loadModel(gpu, folder, { onProgress: watch });
    loading = Math.min(loading, (performance.now() - started) / 1000);
    model.close();
    gpu.close();
  }
  const fresh = writeFresh(size);
  const rate = (seconds: number) => `${seconds.toFixed(2)} s, ${(size / seconds / 1e9).toFixed(2)} GB/s`;
  console.log(
    `${name}, ${dtype}: reading ${rate(reading)}; writing new memory ${rate(fresh)}; loading ${rate(loading)}, ${((100 * reading) / loading).toFixed(0)} and ${((100 * fresh) / loading).toFixed(0)} % of these; heap ${(heap / 2 ** 20).toFixed(0)} MiB`,
  );
}

/** Seconds for all bytes of a file into one piece of memory. */
function readAll(path: string): number {
  const piece = new Uint8Array(PIECE);
  const handle = openSync(path, "r");
  const started = performance.now();
  while (readSync(handle, piece, 0, PIECE, null) > 0);
  closeSync(handle);
  return (performance.now() - started) / 1000;
}

/** Seconds for so many bytes into memory that was never touched. */
function writeFresh(bytes: number): number {
  const started = performance.now();
  const pieces = Array.from({ length: Math.ceil(bytes / PIECE) }, () => new Uint8Array(PIECE).fill(1));
  return pieces.length > 0 ? (performance.now() - started) / 1000 : 0;
}
