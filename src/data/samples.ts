/** Rows of a data file (NOTICE.md 3) as samples, checked at the edge. */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { type Sample, type Task, tasks } from "./sample.ts";
import { type Cells, readBytes, readTable } from "./table.ts";

/** A row of a data file. */
export interface DataRow extends Sample {
  /** Index in the file, from 0. */
  readonly index: number;
  /** Hash of the row's cells: what the sample is, wherever it stands. */
  readonly key: string;
  readonly group: string;
  readonly correctFirst: boolean;
  /** As written in the file. */
  readonly cleanImagePath: string;
  readonly corruptImagePath: string;
}

export interface DataFile {
  readonly path: string;
  readonly sha256: string;
  readonly rows: readonly DataRow[];
}

const required = [
  "clean_image_path",
  "corrupt_image_path",
  "clean_prompt",
  "corrupt_prompt",
  "correct_answer",
] as const;

/**
 * Reads a CSV file. Picture paths are relative to its folder, or absolute.
 * @param task rows of other tasks are left out where the file has a column `task`; the rest need the task given
 * @throws UserError for what cannot be read, with row and column
 */
export async function readDataFile(path: string, task?: Task): Promise<DataFile> {
  const bytes = await readBytes(path);
  const rows = readTable(path, bytes, required)
    .rows.map((cells, index) => ({ cells, index }))
    .filter(({ cells }) => task === undefined || cells.task === undefined || cells.task === task)
    .map(({ cells, index }) => readRow(path, cells, index, task));
  if (rows.length === 0) throw new UserError(`${path}: has no rows${task ? ` of task ${task}` : ""}`);
  return { path, sha256: hashOf(bytes), rows };
}

function readRow(path: string, cells: Cells, index: number, asked: Task | undefined): DataRow {
  const where = `${path}: row ${index + 2}`;
  const task = asked ?? taskOf(where, cells.task);
  for (const name of required)
    if (cells[name]!.trim() === "")
      throw new UserError(`${where}: column "${name}" is empty; fill it in or remove the row`);
  const incorrect = incorrectAnswer(where, cells);
  const folder = dirname(path);
  const picture = (column: string) => (isAbsolute(cells[column]!) ? cells[column]! : join(folder, cells[column]!));
  const prompt = cells.clean_prompt!;
  return {
    task,
    index,
    key: hashOf(JSON.stringify(Object.entries(cells))).slice(0, 16),
    cleanImage: picture("clean_image_path"),
    corruptImage: picture("corrupt_image_path"),
    cleanImagePath: cells.clean_image_path!,
    corruptImagePath: cells.corrupt_image_path!,
    cleanPrompt: prompt,
    corruptPrompt: cells.corrupt_prompt!,
    correctAnswer: cells.correct_answer!,
    incorrectAnswer: incorrect,
    ...(cells.generated_text ? { generatedText: cells.generated_text } : {}),
    group: cells.group || cells.state || cells.correct_answer!,
    correctFirst: comesFirst(prompt, cells.correct_answer!, incorrect),
    roles: rolesOf(cells),
  };
}

function taskOf(where: string, value: string | undefined): Task {
  const task = tasks.find((name) => name === value);
  if (task) return task;
  throw new UserError(`${where}: column "task" is "${value ?? ""}", expected ${tasks.join(", ")}; or give --task`);
}

/** SVO-Probes' files leave it to the reader: the negative triplet's word at the place where the triplets differ. */
function incorrectAnswer(where: string, cells: Cells): string {
  if (cells.incorrect_answer) return cells.incorrect_answer;
  const [positive, negative] = [triplet(cells.pos_triplet), triplet(cells.neg_triplet)];
  const at = positive.findIndex((word, i) => word !== negative[i]);
  const pair = [positive[at], negative[at]];
  const other = pair.find((word) => word !== cells.correct_answer);
  if (other === undefined)
    throw new UserError(`${where}: column "incorrect_answer" is empty and pos_triplet, neg_triplet give none`);
  return other;
}

const triplet = (text: string | undefined): string[] =>
  (text ?? "")
    .replace(/[[\]'"]/g, "")
    .split(",")
    .map((word) => word.trim());

function rolesOf(cells: Cells): Record<string, string> {
  const [subject, verb, object] = triplet(cells.pos_triplet);
  const roles = { noun: cells.noun, subject, verb, object };
  return Object.fromEntries(Object.entries(roles).filter((entry): entry is [string, string] => Boolean(entry[1])));
}

/** Does the correct option stand before the other one? */
function comesFirst(prompt: string, correct: string, incorrect: string): boolean {
  const words = prompt.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  const place = (answer: string) => words.indexOf(answer.toLowerCase().split(/\s+/)[0]!);
  return place(correct) !== -1 && (place(incorrect) === -1 || place(correct) < place(incorrect));
}

/** @throws UserError naming the row and the column of a picture that is not there */
export function checkPictures(file: DataFile, rows: readonly DataRow[]): void {
  for (const row of rows) {
    for (const [column, path] of [
      ["clean_image_path", row.cleanImage],
      ["corrupt_image_path", row.corruptImage],
    ] as const) {
      if (existsSync(path)) continue;
      throw new UserError(
        `${file.path}: row ${row.index + 2}, column ${column}: found no picture at ${path}; paths are relative to the file's folder`,
      );
    }
  }
}

/** `count` rows spread evenly over groups and orders, in the file's order. */
export function balanced(rows: readonly DataRow[], count: number): DataRow[] {
  const piles = new Map<string, DataRow[]>();
  for (const row of rows) {
    const name = `${row.group} ${row.correctFirst}`;
    const pile = piles.get(name);
    if (pile) pile.push(row);
    else piles.set(name, [row]);
  }
  const chosen: DataRow[] = [];
  for (let turn = 0; chosen.length < Math.min(count, rows.length); turn++) {
    for (const pile of piles.values()) if (pile[turn] && chosen.length < count) chosen.push(pile[turn]!);
  }
  return chosen.sort((a, b) => a.index - b.index);
}
