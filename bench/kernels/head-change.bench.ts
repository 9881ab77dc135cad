import { headChange } from "../../src/kernels/head-change.ts";
import { check, measure, openBench, pattern } from "./device.ts";

const gpu = await openBench("head-change");
const shape = [12, 20, 768];
const [now, before] = [pattern(gpu, "now", [4, ...shape]), pattern(gpu, "before", [1, ...shape])];

await check(gpu, () => headChange(gpu, "y", now, before), 5, 0);
await measure(gpu, [
  {
    name: "4 x 12 x 20 x 768 - 1 x 12 x 20 x 768",
    work: () => headChange(gpu, "y", now, before),
    bytes: 61 * 20 * 768 * 4 + 4 * 20 * 768 * 4 - 20 * 768 * 4,
  },
]);
