/** A sweep over samples, written to a run folder as it goes: what `notice sweep` and `notice demo` do. */
import type { DataRow } from "../data/samples.ts";
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import { type Defects, originalPlaces } from "./defects.ts";
import { type Kind, resolveKind } from "./kinds.ts";
import { samplePair } from "./pair.ts";
import type { Mode, RunSettings, SampleRecord } from "./record.ts";
import { sweepSample } from "./sample.ts";
import { difference, json, probability, summary } from "./score.ts";
import { inShard } from "./shard.ts";
import type { Run } from "./store.ts";

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
  const kinds = settings.kinds.map((kind) => resolveKind(model, kind));
  const units = inShard(samples, settings.shard).flatMap((sample) => settings.modes.map((mode) => ({ sample, mode })));
  const started = performance.now();
  let progress = { done: units.length, total: units.length, failed: 0, cells: 0, seconds: 0 };
  const left = units.filter(({ sample, mode }) => !run.done.has(`${sample.index}:${sample.task}:${mode}`));
  progress = { ...progress, done: units.length - left.length };
  for (const { sample, mode } of left) {
    signal?.throwIfAborted();
    let cells = 0;
    let failed = 0;
    try {
      const { record, count } = await sweepRecord(model, kinds, sample, mode, settings, exactCheck, signal);
      cells = count;
      await run.append(record);
    } catch (error) {
      if (!(error instanceof UserError) || signal?.aborted) throw error;
      failed = 1;
      await run.append({ key: sample.key, sample: sample.index, task: sample.task, mode, failed: error.message });
    }
    progress = {
      ...progress,
      done: progress.done + 1,
      failed: progress.failed + failed,
      cells: progress.cells + cells,
      seconds: (performance.now() - started) / 1000,
    };
    onProgress?.(progress);
  }
  return progress;
}

async function sweepRecord(
  model: Model,
  kinds: readonly Kind[],
  sample: DataRow,
  mode: Mode,
  settings: RunSettings,
  exactCheck: number,
  signal: AbortSignal | undefined,
): Promise<{ record: SampleRecord; count: number }> {
  const defects = settings.defects as Defects;
  const compat = defects.D9 ?? "corrected";
  const pair = await samplePair(model, sample, { mode, defects, direction: settings.direction });
  const result = await sweepSample(model, pair, kinds, {
    heads: settings.heads,
    positions: settings.positions,
    headPositions: settings.head_positions,
    ...originalPlaces(model, pair, sample, defects),
    compat,
    minDenominator: settings.min_denominator,
    exactCheck,
    ...(signal ? { signal } : {}),
  });
  const denominator = Math.fround(difference(result.clean) - difference(result.corrupt));
  const zeroEffect =
    compat === "upstream" ? json(0 / denominator) : Math.abs(denominator) < settings.min_denominator ? null : 0;
  const record: SampleRecord = {
    key: sample.key,
    sample: sample.index,
    task: sample.task,
    mode,
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
  return { record, count: result.cells };
}
