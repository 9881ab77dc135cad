import { isolateHeads } from "../../src/kernels/isolate-heads.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("isolate-heads");
const z = pattern(gpu, "z", [4, 20, 12, 64]);

await check(gpu, () => isolateHeads(gpu, "y", z), 20 * 768 + 64, patternAt(64));
await measure(gpu, [{ name: "4 x 20 x 12 x 64", work: () => isolateHeads(gpu, "y", z), bytes: 13 * 4 * 20 * 768 * 4 }]);
