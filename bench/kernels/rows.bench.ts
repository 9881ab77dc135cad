import { withRows } from "../../src/kernels/rows.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("rows");
const x = pattern(gpu, "x", [1, 20, 768]);

await check(gpu, () => withRows(gpu, "y", x, 16), 15 * 20 * 768 + 11, patternAt(11));
await measure(gpu, [
  { name: "1 x 20 x 768 to 16 rows", work: () => withRows(gpu, "y", x, 16), bytes: 17 * 20 * 768 * 4 },
]);
