import { softmax } from "../../src/kernels/softmax.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("softmax");
const x = pattern(gpu, "scores", [1, 12, 577, 577]);
const total = Array.from({ length: 577 }, (_, i) => Math.exp(patternAt(i))).reduce((a, b) => a + b);

await check(gpu, () => softmax(gpu, "y", x), 6, Math.exp(3) / total, 1e-7);
await measure(gpu, [{ name: "12 x 577 x 577", work: () => softmax(gpu, "y", x), bytes: 2 * 12 * 577 * 577 * 4 }]);
