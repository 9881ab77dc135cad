import { columns } from "../../src/kernels/columns.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("columns");
const fused = pattern(gpu, "qkv", [1, 577, 3 * 768]);

await check(gpu, () => columns(gpu, "k", fused, 768, 768), 768, patternAt(3 * 768 + 768));
await measure(gpu, [
  { name: "577 x 768 of 577 x 2304", work: () => columns(gpu, "k", fused, 768, 768), bytes: 2 * 577 * 768 * 4 },
]);
