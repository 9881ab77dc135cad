import { writeSlices } from "../../src/kernels/write-slices.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("write-slices");
const target = gpu.upload("target", [16, 20, 768], new Float32Array(16 * 20 * 768));
const source = pattern(gpu, "source", [1, 20, 768]);
const changed = gpu.upload("changed", [16], new Uint32Array(16));
const slices = Array.from({ length: 16 }, (_, row) => ({
  to: (row * 20 + row) * 768,
  from: row * 768,
  length: 768,
  kind: "copy" as const,
  factor: 0,
}));

const work = () => {
  writeSlices(gpu, target, source, slices, changed);
  return target;
};
work();
await check(gpu, () => gpu.keep(target), 21 * 768 + 1, patternAt(769));
await measure(gpu, [{ name: "a token in each of 16 rows of 20 x 768", work, bytes: 3 * 16 * 768 * 4 }]);
