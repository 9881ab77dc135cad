import { attention } from "../../src/kernels/attention.ts";
import { attentionMix } from "../../src/kernels/attention-mix.ts";
import { attentionScores } from "../../src/kernels/attention-scores.ts";
import { softmax } from "../../src/kernels/softmax.ts";
import type { Tensor } from "../../src/kernels/tensor.ts";
import { measure, openBench, pattern } from "./device.ts";

const gpu = await openBench("attention");
const vision = pattern(gpu, "vision", [1, 577, 12, 64]);
const text = pattern(gpu, "text", [50, 12, 12, 64]);
const kept = (q: Tensor) => {
  const probs = softmax(gpu, "probs", attentionScores(gpu, "scores", q, vision, false));
  return attentionMix(gpu, "z", probs, vision);
};
const flop = (tokens: number) => 4 * tokens * 577 * 768;

await measure(
  gpu,
  [["577 by 577", vision, 577] as const, ["50 x 12 by 577 shared", text, 600] as const].flatMap(([name, q, tokens]) => [
    { name, work: () => attention(gpu, "z", q, vision, vision, false), flop: flop(tokens) },
    { name: `${name}, scores and probabilities kept`, work: () => kept(q), flop: flop(tokens) },
  ]),
);
