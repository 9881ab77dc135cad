import { gather } from "../../src/kernels/gather.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("gather");
const shape = { label: "words", entries: 30_524, width: 768 };
const full = { ...shape, half: false, memory: pattern(gpu, "words", [30_524, 768]).memory };
const half = {
  ...shape,
  half: true,
  memory: gpu.upload("words", [30_524, 384], new Uint32Array(30_524 * 384).fill(0x3c00_4000)).memory,
};
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
