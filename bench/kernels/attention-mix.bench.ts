import { attentionMix } from "../../src/kernels/attention-mix.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("attention-mix");
const [probs, v] = [pattern(gpu, "probs", [1, 12, 577, 577]), pattern(gpu, "v", [1, 577, 12, 64])];
const text = pattern(gpu, "text", [16, 12, 20, 577]);
const [answer, question] = [pattern(gpu, "answer", [50, 12, 1, 12]), pattern(gpu, "question", [50, 12, 12, 64])];
const first = Array.from({ length: 577 }, (_, s) => patternAt(s) * patternAt(s * 768)).reduce((a, b) => a + b);

await check(gpu, () => attentionMix(gpu, "z", probs, v), 0, first);
await measure(gpu, [
  { name: "577 by 577, 12 heads of 64", work: () => attentionMix(gpu, "z", probs, v), flop: 2 * 577 * 577 * 768 },
  { name: "16 x 20 by 577 shared", work: () => attentionMix(gpu, "z", text, v), flop: 2 * 320 * 577 * 768 },
  { name: "50 x 1 by 50 x 12", work: () => attentionMix(gpu, "z", answer, question), flop: 2 * 600 * 768 },
]);
