import { add } from "../../src/kernels/add.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("add");
const [a, b] = [pattern(gpu, "a", [577, 768]), pattern(gpu, "b", [577, 768])];
const [rows, shared] = [pattern(gpu, "rows", [16, 20, 768]), pattern(gpu, "shared", [1, 20, 768])];
const element = 577 * 768 - 1;

await check(gpu, () => add(gpu, "y", a, b), element, 2 * patternAt(element));
await measure(gpu, [
  { name: "577 x 768", work: () => add(gpu, "y", a, b), bytes: 3 * 577 * 768 * 4 },
  { name: "16 x 20 x 768 + 1 x 20 x 768", work: () => add(gpu, "y", rows, shared), bytes: 33 * 20 * 768 * 4 },
]);
