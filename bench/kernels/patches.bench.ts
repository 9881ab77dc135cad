import { patches } from "../../src/kernels/patches.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("patches");
const pixels = pattern(gpu, "pixels", [1, 3, 384, 384]);

await check(gpu, () => patches(gpu, "y", pixels, 16), 768 + 16, patternAt(384 + 16));
await measure(gpu, [
  { name: "3 x 384 x 384 by 16", work: () => patches(gpu, "y", pixels, 16), bytes: 2 * 3 * 384 * 384 * 4 },
]);
