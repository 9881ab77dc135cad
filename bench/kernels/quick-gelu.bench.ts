import { quickGelu } from "../../src/kernels/quick-gelu.ts";
import { check, measure, openBench, pattern } from "./device.ts";

const gpu = await openBench("quick-gelu");
const x = pattern(gpu, "x", [577, 4096]);

await check(gpu, () => quickGelu(gpu, "y", x), 4, 1 / (1 + Math.exp(-1.702)), 1e-6);
await measure(gpu, [{ name: "577 x 4096", work: () => quickGelu(gpu, "y", x), bytes: 2 * 577 * 4096 * 4 }]);
