import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupSize } from "./group.ts";
import { logitScores as shader } from "./shaders.gen.ts";
import { rows, size, type Tensor } from "./tensor.ts";

/** What is kept of each row of logits; the fields of shaders/logit-scores.wgsl. */
export const logitFields = 9;

/** The ids of the correct and the incorrect answer. */
export type Answers = readonly [number, number];

/**
 * logits [rows, 1, width] against those of clean runs [runs, 1, width], each for its two answers: [rows, 9], see the
 * shader. Of the rows the first rows / runs belong to the first run, and so on.
 */
export function logitScores(gpu: Gpu, logits: Tensor, clean: Tensor, answers: readonly Answers[]): Tensor {
  const width = logits.shape.at(-1)!;
  const runs = answers.length;
  const each = rows(logits) / runs;
  if (size(clean.shape) !== runs * width) throw new ShapeError("logitScores", clean, [runs, 1, width]);
  if (!Number.isInteger(each)) throw new ShapeError("logitScores", logits, [`a multiple of ${runs}`, 1, width]);
  const scores = gpu.tensor("logit scores", [rows(logits), logitFields]);
  const ids = gpu.upload("answers", [runs, 2], Uint32Array.from(answers.flat()));
  gpu.run(
    shader,
    { WG: groupSize(gpu) },
    { logits: logits.memory, clean: clean.memory, answers: ids.memory, scores: scores.memory },
    { rows: rows(logits), width, each },
    rows(logits),
  );
  return scores;
}
