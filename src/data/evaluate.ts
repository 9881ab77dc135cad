/** What a model answers to the clean run of each row: what `notice dataset evaluate` does. */
import { dirname, isAbsolute, join, resolve } from "node:path";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { type Model, readsPicture } from "../models/model.ts";
import type { Quantize } from "../models/nf4.ts";
import { version } from "../version.ts";
import { type AnswerFile, type EvaluateSettings, openAnswers } from "./evaluate-file.ts";
import { manifestPath, saveManifest } from "./manifest.ts";
import type { Task } from "./sample.ts";
import { moved } from "./select.ts";
import { type Cells, readBytes, readTable, saveTable } from "./table.ts";

export interface EvaluateOptions {
  /** Rows of other tasks are left out where the file has a column `task`. */
  readonly task?: Task | undefined;
  readonly data: string;
  readonly out: string;
  /** How the model was loaded, where its weights are stored in fewer bits. */
  readonly quantize?: Quantize | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: EvaluateProgress) => void;
}

export interface EvaluateProgress {
  readonly done: number;
  readonly total: number;
  /** Rows that this process has answered, and the seconds it took. */
  readonly answered: number;
  readonly seconds: number;
}

interface Accuracy {
  readonly answered: number;
  readonly right: number;
  readonly accuracy: number;
}

export interface EvaluateManifest extends EvaluateSettings {
  readonly package_version: string;
  readonly adapter: string;
  readonly rows: number;
  readonly groups: Readonly<Record<string, Accuracy>>;
  readonly all: Accuracy;
  /** Rows without an answer, by their number in the data file (the header is 1). */
  readonly failed: readonly { readonly row: number; readonly reason: string }[];
  readonly csv_sha256: string;
}

interface Row {
  readonly cells: Cells;
  /** In the data file; the header is 1. */
  readonly number: number;
}

const required = ["clean_image_path", "clean_prompt", "correct_answer"];

/** What is to be answered, and the file that the answers go to. */
export interface Evaluation {
  readonly settings: EvaluateSettings;
  readonly rows: readonly Row[];
  readonly columns: readonly string[];
  /** What the file's rows begin with, up to the answer. */
  readonly written: readonly (readonly string[])[];
  readonly file: AnswerFile;
}

/**
 * Reads the data file and opens the answers, those that stand there already too. The model may be one without weights
 * (`openDry`).
 * @throws UserError for a file that another model, task or data file made; for a row that lacks what is asked
 */
export async function openEvaluation(model: Model, options: EvaluateOptions): Promise<Evaluation> {
  const { task, data, out } = options;
  if (resolve(data) === resolve(out)) throw new UserError(`${out}: is the data file itself; give --out another name`);
  const bytes = await readBytes(data);
  const table = readTable(data, bytes, required);
  const columns = [...table.columns.filter((name) => name !== "generated_text"), "generated_text"];
  const rows = rowsOf(table.rows, data, task);
  const written = rows.map(({ cells }) => columns.slice(0, -1).map((name) => moved(cells[name]!, name, data, out)));
  const { config, weights } = await model.identify();
  const settings: EvaluateSettings = {
    format: 1,
    step: "evaluate",
    model: model.name,
    config_sha256: config,
    weights_sha256: weights,
    quantize: options.quantize ?? null,
    task: task ?? null,
    data_sha256: hashOf(bytes),
  };
  return { settings, rows, columns, written, file: await openAnswers(out, settings, columns, written) };
}

/**
 * Writes all columns and `generated_text`, row by row, and goes on with what stands there already.
 * @throws UserError as `openEvaluation`
 */
export async function evaluate(
  model: Model,
  options: EvaluateOptions,
  evaluation?: Evaluation,
): Promise<EvaluateManifest> {
  const { settings, rows, columns, written, file } = evaluation ?? (await openEvaluation(model, options));
  const { data, out, signal, onProgress } = options;
  const { answers, append } = file;
  const stored = answers.length;
  const failed: { row: number; reason: string }[] = [];
  const started = performance.now();
  let answered = 0;
  for (const [i, { cells, number }] of rows.entries()) {
    if (answers[i]) continue; // rows that failed before are tried again
    signal?.throwIfAborted();
    const answer = await answerTo(model, cells, data, signal);
    if (answer.failed !== undefined) failed.push({ row: number, reason: answer.failed });
    answers[i] = answer.text;
    if (i >= stored) await append([...written[i]!, answer.text]);
    answered++;
    onProgress?.({ done: i + 1, total: rows.length, answered, seconds: (performance.now() - started) / 1000 });
  }
  const lines = written.map((cells, i) => [...cells, answers[i]!]);
  const csv = await saveTable(out, columns, lines);
  const manifest: EvaluateManifest = {
    ...settings,
    package_version: version(),
    adapter: model.gpu.info.name,
    rows: rows.length,
    ...accuracies(rows, answers),
    failed,
    csv_sha256: csv,
  };
  await saveManifest(manifestPath(out), manifest);
  return manifest;
}

function rowsOf(all: readonly Cells[], path: string, task: Task | undefined): Row[] {
  const rows = all
    .map((cells, i) => ({ cells, number: i + 2 }))
    .filter(({ cells }) => task === undefined || cells.task === undefined || cells.task === task);
  if (rows.length === 0) throw new UserError(`${path}: has no rows${task ? ` of task ${task}; check --task` : ""}`);
  for (const { cells, number } of rows)
    for (const name of required)
      if (cells[name]!.trim() === "")
        throw new UserError(`${path}: row ${number}: column "${name}" is empty; fill it in or remove the row`);
  return rows;
}

/** A row that cannot be answered has an empty text, and the reason. */
async function answerTo(
  model: Model,
  cells: Cells,
  data: string,
  signal: AbortSignal | undefined,
): Promise<{ text: string; failed?: string }> {
  const path = cells.clean_image_path!;
  const image = isAbsolute(path) ? path : join(dirname(data), path);
  try {
    const input = await model.input({ image, text: cells.clean_prompt! });
    const { text } = await model.generate(input, signal ? { signal } : {});
    return { text: shortAnswer(text, readsPicture(model)) };
  } catch (error) {
    if (!(error instanceof UserError) || signal?.aborted) throw error;
    return { text: "", failed: error.message };
  }
}

/** BLIP's answer as it is; of LLaVA's reply the first line without its full stop. The case stays. */
export const shortAnswer = (text: string, llava: boolean): string =>
  llava ? text.trim().split("\n")[0]!.trim().replace(/\.$/, "") : text.trim();

const isRight = (cells: Cells, answer: string): boolean =>
  answer.toLowerCase() === cells.correct_answer!.trim().toLowerCase();

/** Rows without an answer do not count as answered. */
function accuracies(rows: readonly Row[], answers: readonly string[]): Pick<EvaluateManifest, "groups" | "all"> {
  const counts = new Map<string, { answered: number; right: number }>();
  const all = { answered: 0, right: 0 };
  rows.forEach(({ cells }, i) => {
    const name = cells.group || cells.state || cells.correct_answer!;
    const count = counts.get(name) ?? { answered: 0, right: 0 };
    counts.set(name, count);
    for (const one of [count, all]) {
      if (answers[i] !== "") one.answered++;
      if (isRight(cells, answers[i]!)) one.right++;
    }
  });
  const accuracy = (count: { answered: number; right: number }): Accuracy => ({
    ...count,
    accuracy: count.answered === 0 ? 0 : count.right / count.answered,
  });
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return { groups: Object.fromEntries(sorted.map(([name, count]) => [name, accuracy(count)])), all: accuracy(all) };
}
