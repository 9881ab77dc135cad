/** A sweep over samples, written to a run folder as it goes: what `notice sweep` and `notice demo` do. */
import type { DataRow } from "../data/samples.ts";
import type { Model } from "../models/model.ts";
import type { RunRecord, RunSettings } from "./record.ts";
import { difference, json, probability, summary } from "./score.ts";
import { inShard } from "./shard.ts";
import type { Run } from "./store.ts";
import { type Outcome, sweepUnits } from "./units.ts";

export interface SweepProgress {
  /** Samples times modes: done in all, of how many, and how many of these failed in this process. */
  readonly done: number;
  readonly total: number;
  readonly failed: number;
  /** Cells that this process has run, and the seconds it took. */
  readonly cells: number;
  readonly seconds: number;
}

export interface RunSweepOptions {
  readonly signal?: AbortSignal;
  readonly exactCheck?: number;
  readonly onProgress?: (progress: SweepProgress) => void;
}

/** Sweeps what the run does not hold yet of its shard. A sample that fails is recorded with the reason, and the rest goes on. */
export async function runSweep(
  model: Model,
  samples: readonly DataRow[],
  settings: RunSettings,
  run: Run,
  { signal, exactCheck = 0, onProgress }: RunSweepOptions = {},
): Promise<SweepProgress> {
  const units = inShard(samples, settings.shard).flatMap((sample) => settings.modes.map((mode) => ({ sample, mode })));
  const started = performance.now();
  const left = units.filter(({ sample, mode }) => !run.done.has(`${sample.index}:${sample.task}:${mode}`));
  let progress = { done: units.length - left.length, total: units.length, failed: 0, cells: 0, seconds: 0 };
  for await (const outcome of sweepUnits(model, left, settings, { signal, exactCheck })) {
    await run.append(recordOf(outcome, settings));
    const failed = "failed" in outcome;
    progress = {
      ...progress,
      done: progress.done + 1,
      failed: progress.failed + (failed ? 1 : 0),
      cells: progress.cells + (failed ? 0 : outcome.result.cells),
      seconds: (performance.now() - started) / 1000,
    };
    onProgress?.(progress);
  }
  return progress;
}

function recordOf(outcome: Outcome, { defects, min_denominator }: RunSettings): RunRecord {
  const { sample, mode } = outcome.unit;
  const place = { key: sample.key, sample: sample.index, task: sample.task, mode };
  if ("failed" in outcome) return { ...place, failed: outcome.failed.message };
  const { pair, result } = outcome;
  const denominator = Math.fround(difference(result.clean) - difference(result.corrupt));
  const zeroEffect =
    defects.D9 === "upstream" ? json(0 / denominator) : Math.abs(denominator) < min_denominator ? null : 0;
  return {
    ...place,
    group: sample.group,
    correct_first: sample.correctFirst,
    clean_prompt: sample.cleanPrompt,
    corrupt_prompt: sample.corruptPrompt,
    correct_answer: sample.correctAnswer,
    incorrect_answer: sample.incorrectAnswer,
    clean_image_path: sample.cleanImagePath,
    corrupt_image_path: sample.corruptImagePath,
    tokens: [...pair.tokens],
    answer_token: pair.answerToken,
    answer_ids: [...pair.answers],
    clean: summary(result.clean),
    corrupt: summary(result.corrupt),
    low_score: [probability(result.corrupt), 0, 0, zeroEffect],
    lens: result.lens,
    tables: result.tables,
    checks: result.checks,
  };
}
