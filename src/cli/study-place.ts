/** Where a step of a study stands: model, task, folder and what the user asked for. */
import { type Compat, dataDefects, prepareDefects, selectDefects } from "../data/defects.ts";
import type { Task } from "../data/sample.ts";
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import type { Quantize } from "../models/nf4.ts";
import { sweepDefects } from "../patching/defects.ts";
import type { Taken } from "../patching/study-stamp.ts";

export const studySteps = ["prepare", "evaluate", "select", "sweep", "defects"] as const;
export type StudyStep = (typeof studySteps)[number];

export interface StudyOptions {
  readonly data: string;
  readonly out: string;
  readonly tasks: readonly Task[];
  readonly seed: number;
  /** Rows of a group; undefined: as many as the original takes. */
  readonly perGroup: (task: Task) => number | undefined;
  readonly samples: number | undefined;
  /** Samples of a task on which each defect is tried; 0: none. */
  readonly defects: number;
  /** undefined: the model's own. */
  readonly kinds: readonly string[] | undefined;
  readonly compat: Compat;
  readonly except: readonly string[];
  readonly prompts: string | undefined;
  readonly quantize: Quantize | undefined;
  /** The last step that is taken, if not all are. */
  readonly until: StudyStep | undefined;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface Place {
  readonly model: Model;
  readonly task: Task;
  readonly options: StudyOptions;
  readonly folder: string;
}

/** Says what a step came to, in one line. */
export function told<T extends object>(
  { task, model, options }: Place,
  step: StudyStep,
  taken: Taken<T>,
  words: string,
): Taken<T> {
  options.say(`${task}, ${model.name}: ${step}: ${words}${taken.unchanged ? ", unchanged" : ""}`);
  options.signal.throwIfAborted();
  return taken;
}

/** The exceptions that a step knows; they are given once for all steps. */
export const knownTo = (defects: readonly string[], { except }: StudyOptions): string[] =>
  except.filter((id) => defects.includes(id));

export const statesOf = <const T extends readonly string[]>(defects: T, options: StudyOptions) =>
  dataDefects(defects, options.compat, knownTo(defects, options));

/** @throws UserError for an exception that no step knows */
export function checkExceptions(model: Model, { compat, except }: StudyOptions): void {
  const all = [...prepareDefects, ...selectDefects, ...Object.keys(sweepDefects(model, compat, []))];
  const known = [...new Set(all)].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
  const unknown = except.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new UserError(`--except: got "${unknown}", expected some of ${known.join(",")}`);
}
