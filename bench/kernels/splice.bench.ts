import { splice } from "../../src/kernels/splice.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("splice");
const [words, picture] = [pattern(gpu, "words", [1, 20, 4096]), pattern(gpu, "picture", [1, 576, 4096])];
const [past, keys] = [pattern(gpu, "past", [1, 595, 32, 128]), pattern(gpu, "keys", [1, 64 * 12, 32, 128])];

await check(gpu, () => splice(gpu, "y", words, 5, 1, picture), 5 * 4096 + 1, patternAt(1));
await measure(gpu, [
  { name: "576 x 4096 among 20", work: () => splice(gpu, "y", words, 5, 1, picture), bytes: 2 * 595 * 4096 * 4 },
  {
    name: "583 x 4096 before 64 x 12",
    work: () => splice(gpu, "y", past, 583, 12, keys),
    bytes: 2 * (583 + 64 * 12) * 4096 * 4,
  },
]);
