import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupSize } from "./group.ts";
import { logitScores as shader } from "./shaders.gen.ts";
import { rows, size, type Tensor } from "./tensor.ts";

/** What is kept of each row of logits; the fields of shaders/logit-scores.wgsl. */
export const logitFields = 9;

/**
 * logits [rows, 1, width] against the clean run's [1, 1, width], for the ids of the two answers: [rows, 9], see the shader.
 */
export function logitScores(gpu: Gpu, logits: Tensor, clean: Tensor, answers: readonly [number, number]): Tensor {
  const width = logits.shape.at(-1)!;
  if (size(clean.shape) !== width) throw new ShapeError("logitScores", clean, [1, width]);
  const scores = gpu.tensor("logit scores", [rows(logits), logitFields]);
  gpu.run(
    shader,
    { WG: groupSize(gpu) },
    { logits: logits.memory, clean: clean.memory, scores: scores.memory },
    { rows: rows(logits), width, correct: answers[0], incorrect: answers[1] },
    rows(logits),
  );
  return scores;
}
