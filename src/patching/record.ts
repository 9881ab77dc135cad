/**
 * What a sweep writes down: one record per sample and mode, complete enough for every table and picture.
 * All numbers are float32 values; `null` stands for a value that does not exist (an effect without a denominator).
 */
import type { Task } from "../data/sample.ts";
import type { PositionName } from "./positions.ts";

export type { Task } from "../data/sample.ts";
export type Mode = "image" | "text";
export type Compat = "corrected" | "upstream";

/** JSON has no NaN and no infinities; `--compat upstream` needs them (D9). */
export type Json = number | null | "NaN" | "Infinity" | "-Infinity";

/** The scores of one cell; the first four are NOTICE's columns. */
export interface Scores {
  p_patched: number;
  p_diff: number;
  logit_diff: number;
  effect: Json;
  kl: number;
  rank: number;
  top1: number;
}

export const scoreNames = ["p_patched", "p_diff", "logit_diff", "effect", "kl", "rank", "top1"] as const;
/** The four columns of the original, in its order. */
export const noticeColumns = ["p_patched", "p_diff", "logit_diff", "effect"] as const;

/** A token of the clean prompt. `role` is what it does in the task; several pieces of one word share word and role. */
export interface Token {
  id: number;
  /** The word piece as the vocabulary spells it, e.g. `##ed`. */
  text: string;
  /** `[CLS]`, `is`, `noun`, `correct`, `incorrect`, `subject`, `verb`, `object`, `?`, `[SEP]`, … */
  role: string;
  /** Which piece of its word it is, from 0, and how many there are. */
  piece: number;
  pieces: number;
}

/** Scores of one kind for one sample: arrays in the order token, layer(, head). */
export interface Table {
  /** As the user named it: `output`, `crossattention_block`, a site pattern … */
  kind: string;
  /** One site per layer, in order. */
  sites: string[];
  tokens: number;
  /** Which tokens of the clean prompt the rows are; absent where they are all, in order, or the site has tokens of its own. */
  at?: number[];
  /** The rows are the picture's patches, so many in a row of it. */
  patches?: number;
  /** Why the original has no such table (D7). */
  dropped?: string;
  layers: number;
  /** Head numbers swept one by one, or null when whole sites were patched. */
  heads: number[] | null;
  /** `null` where the cell does not exist: a token without a counterpart in the other prompt (D8). */
  scores: { [K in keyof Scores]: (Scores[K] | null)[] };
  /** Cells whose replacement changed no value. */
  unchanged: number;
}

export interface LogitSummary {
  correct: number;
  incorrect: number;
  logsumexp: number;
  top1: number;
}

/** The logit lens of one run: what the model would answer if it ended after each layer, by layer. */
export interface LensRun {
  /** P(correct) over the whole vocabulary. */
  p: number[];
  /** Correct minus incorrect. */
  logit_diff: number[];
  /** The most likely token and its text. */
  top1: number[];
  top1_text: string[];
}

/** One finished sample in one mode: a line of results.jsonl. */
export interface SampleRecord {
  /** Hash of the data file's row: what the sample is, wherever it stands. */
  key: string;
  /** Row index in the data file, from 0. */
  sample: number;
  task: Task;
  mode: Mode;
  /** `state` for mit_states, the emotion for faces, the negated part for svo. */
  group: string;
  /** The correct option comes first in the prompt. */
  correct_first: boolean;
  clean_prompt: string;
  corrupt_prompt: string;
  correct_answer: string;
  incorrect_answer: string;
  clean_image_path: string;
  corrupt_image_path: string;
  tokens: Token[];
  /** The row of head tables: the correct answer's last piece, or what the original takes (D4); null if it finds none. */
  answer_token: number | null;
  /** Ids of the two answers. */
  answer_ids: [number, number];
  clean: LogitSummary;
  corrupt: LogitSummary;
  /** NOTICE's `low_score`: the four scores of the unpatched corrupt run. */
  low_score: Json[];
  /** Absent in runs of versions before it was made. */
  lens?: { clean: LensRun; corrupt: LensRun };
  tables: Table[];
  checks: CheckResult[];
}

export interface CheckResult {
  name: string;
  ok: boolean;
  detail: string;
}

/** A sample that could not be run: also a line of results.jsonl, so that nothing is lost in silence. */
export interface FailedRecord {
  key: string;
  sample: number;
  task: Task;
  mode: Mode;
  failed: string;
}

export type RunRecord = SampleRecord | FailedRecord;

/** run.json: everything that decides the numbers, written once. Resuming needs the same settings. */
export interface RunSettings {
  format: 1;
  package_version: string;
  /** `quantize` where the weights were stored in fewer bits than the checkpoint has. */
  model: { name: string; config_sha256: string; weights_sha256: string; quantize?: "nf4" };
  /** `rows` names the chosen samples: a hash of their keys in order. */
  data: { path: string; sha256: string; samples: number; rows: string };
  adapter: { name: string; backend: string; tier: string };
  tasks: Task[];
  modes: Mode[];
  kinds: string[];
  heads: "none" | "all" | number[];
  /** Which tokens are patched in whole sites, and which head by head. */
  positions: PositionName[];
  head_positions: PositionName[];
  compat: Compat;
  /** State of each upstream defect that concerns this run, e.g. { "D4": "corrected" }. */
  defects: Record<string, Compat>;
  direction: "denoising" | "noising";
  min_denominator: number;
  shard: [number, number] | null;
}

/** Where a run was computed, for reports; an arithmetic that is not exact is named. */
export const adapterText = ({ name, backend, tier }: RunSettings["adapter"]): string =>
  `${name}, ${backend}, kernel tier ${tier}${tier === "A" ? " (products of float16, not exact)" : ""}`;
