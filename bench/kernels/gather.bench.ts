import { asTable, gather } from "../../src/kernels/gather.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("gather");
const full = asTable(pattern(gpu, "words", [30_524, 768]), 30_524, 768);
const words = gpu.upload("words", [30_524, 384], new Uint32Array(30_524 * 384).fill(0x3c00_4000));
const half = { ...asTable(words, 30_524, 768), half: true };
const ids = gpu.upload(
  "ids",
  [1, 20],
  Uint32Array.from({ length: 20 }, (_, i) => 1500 * i),
);

await check(gpu, () => gather(gpu, "y", full, ids), 769, patternAt(1500 * 768 + 1));
await check(gpu, () => gather(gpu, "y", half, ids), 768, 2);
await measure(gpu, [
  { name: "20 of 30524 x 768, float32", work: () => gather(gpu, "y", full, ids), bytes: 20 * 768 * 8 },
  { name: "20 of 30524 x 768, float16", work: () => gather(gpu, "y", half, ids), bytes: 20 * 768 * 6 },
]);
