import { rmsNorm } from "../../src/kernels/rms-norm.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("rms-norm");
const x = pattern(gpu, "x", [595, 4096]);
const weight = gpu.upload("weight", [4096], new Float32Array(4096).fill(1));
const squares = Array.from({ length: 4096 }, (_, i) => patternAt(i) ** 2).reduce((a, b) => a + b) / 4096;

await check(gpu, () => rmsNorm(gpu, "y", x, weight, 1e-5), 0, -3 / Math.sqrt(squares + 1e-5), 1e-6);
await measure(gpu, [{ name: "595 x 4096", work: () => rmsNorm(gpu, "y", x, weight, 1e-5), bytes: 2 * 595 * 4096 * 4 }]);
