import { attentionScores } from "../../src/kernels/attention-scores.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("attention-scores");
const [q, k] = [pattern(gpu, "q", [1, 577, 12, 64]), pattern(gpu, "k", [1, 577, 12, 64])];
const text = pattern(gpu, "text", [16, 20, 12, 64]);
const answer = pattern(gpu, "answer", [50, 1, 12, 64]);
const question = pattern(gpu, "question", [50, 12, 12, 64]);
const first = Array.from({ length: 64 }, (_, d) => patternAt(d) ** 2).reduce((a, b) => a + b) / 8;

await check(gpu, () => attentionScores(gpu, "y", q, k, false), 0, first);
await measure(gpu, [
  { name: "577 by 577, 12 heads of 64", work: () => attentionScores(gpu, "y", q, k, false), flop: 2 * 577 * 577 * 768 },
  { name: "16 x 20 by 577 shared", work: () => attentionScores(gpu, "y", text, k, false), flop: 2 * 320 * 577 * 768 },
  { name: "16 x 20 by 16 x 20", work: () => attentionScores(gpu, "y", text, text, false), flop: 2 * 320 * 20 * 768 },
  { name: "50 x 1 by 50 x 12", work: () => attentionScores(gpu, "y", answer, question, false), flop: 2 * 600 * 768 },
]);
