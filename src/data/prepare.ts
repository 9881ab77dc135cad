/** From the folders of an original to a data file with its manifest: what `notice dataset prepare` does. */
import { dirname, relative, resolve } from "node:path";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { version } from "../version.ts";
import type { Compat, DefectStates, prepareDefects } from "./defects.ts";
import { type Draft, type LookAt, newTally, type Tally, type Workshop } from "./draft.ts";
import { taskFolder } from "./layout.ts";
import { manifestPath, saveManifest } from "./manifest.ts";
import { readParticiples } from "./participle.ts";
import { type LookOptions, lookAtPictures, type Pictures } from "./pictures.ts";
import { openPieces, type Pieces } from "./pieces.ts";
import { facesRows } from "./prepare-faces.ts";
import { mitRows } from "./prepare-mit.ts";
import { svoRows } from "./prepare-svo.ts";
import { seededRandom } from "./random.ts";
import type { Task } from "./sample.ts";
import { readBytes, readTable, saveTable } from "./table.ts";
import { loadWords, readEmotions, readStates, type Words } from "./words.ts";

export interface PrepareOptions extends LookOptions {
  readonly task: Task;
  /** The folder of the original's files, or one that holds a folder of the task's name. */
  readonly data: string;
  readonly seed: number;
  readonly out: string;
  readonly compat: Compat;
  readonly defects: DefectStates<typeof prepareDefects>;
  /** A model's name or folder. */
  readonly tokenizer: string;
  /** The task's table of words in place of the original's. */
  readonly words?: string | undefined;
  /** Polished prompts of SVO-Probes. */
  readonly prompts?: string | undefined;
}

export interface PrepareManifest {
  readonly format: 1;
  readonly step: "prepare";
  readonly task: Task;
  readonly seed: number;
  readonly package_version: string;
  readonly compat: Compat;
  readonly defects: DefectStates<typeof prepareDefects>;
  readonly words_sha256: string;
  readonly tokenizer: { readonly name: string; readonly sha256: string };
  readonly prompts: { readonly sha256: string; readonly count: number; readonly used: number } | null;
  readonly rows: number;
  readonly groups: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<string, number>>;
  readonly replacements: Tally["replacements"];
  readonly csv_sha256: string;
  /** By their path from the file's folder. */
  readonly pictures: Readonly<Record<string, string>>;
}

const ownColumns: Readonly<Record<Task, readonly string[]>> = {
  facial_expressions: [],
  mit_states: ["noun", "state"],
  svo_probes: ["pos_triplet", "neg_triplet", "pos_url", "neg_url", "subj_neg", "verb_neg", "obj_neg"],
};

const columnsOf = (task: Task): string[] => [
  ...["task", "group", "clean_image_path", "corrupt_image_path", "clean_prompt", "corrupt_prompt"],
  ...["correct_answer", "incorrect_answer", "correct_first", ...ownColumns[task], "token_alignment"],
];

/** Writes the data file and, beside it, the manifest. */
export async function prepare(options: PrepareOptions): Promise<PrepareManifest> {
  const { task, seed, out, defects, compat } = options;
  if (options.prompts !== undefined && task !== "svo_probes")
    throw new UserError(`--prompts: got ${options.prompts} for task ${task}, only svo_probes has polished prompts`);
  const pieces = await openPieces(options.tokenizer);
  const shop: Workshop = { random: seededRandom(seed), pieces, defects, tally: newTally() };
  const { drafts, words, pictures, prompts } = await makeDrafts(options, shop);
  if (drafts.length === 0) throw new UserError(nothing(options, shop.tally));
  const columns = columnsOf(task);
  const csv = await saveTable(out, columns, lines());
  const manifest: PrepareManifest = {
    format: 1,
    step: "prepare",
    task,
    seed,
    package_version: version(),
    compat,
    defects,
    words_sha256: words.sha256,
    tokenizer: { name: pieces.name, sha256: pieces.sha256 },
    prompts: prompts && { ...prompts.source, used: drafts.filter((row) => prompts.texts.has(row.clean_prompt)).length },
    rows: drafts.length,
    groups: countBy(drafts.map(({ group }) => group)),
    drops: shop.tally.drops,
    replacements: shop.tally.replacements,
    csv_sha256: csv,
    pictures: pictureHashes(drafts, pictures, out),
  };
  await saveManifest(manifestPath(out), manifest);
  return manifest;

  function* lines(): Generator<string[]> {
    for (const draft of drafts) yield columns.map((column) => cellOf(draft, column, options, pieces));
  }
}

async function makeDrafts(options: PrepareOptions, shop: Workshop) {
  const { task, data } = options;
  const { folder, pictures: pictureFolder } = taskFolder(task, data);
  let pictures: Pictures = new Map();
  const lookAt: LookAt = async (paths) => {
    pictures = await lookAtPictures(paths, options);
    return pictures;
  };
  const own = { file: options.words, folder };
  const tables: Readonly<Record<Task, string>> = {
    facial_expressions: "emotions.json",
    mit_states: "states.json",
    svo_probes: "participles.json",
  };
  const words: Words = await loadWords(tables[task], own);
  const prompts = options.prompts === undefined ? null : await readPrompts(options.prompts);
  const drafts =
    task === "facial_expressions"
      ? await facesRows(pictureFolder, readEmotions(words), shop, lookAt)
      : task === "mit_states"
        ? await mitRows(pictureFolder, readStates(words), shop, lookAt)
        : await svoRows(
            { folder, polished: prompts?.polished ?? new Map(), participle: readParticiples(words) },
            shop,
            lookAt,
          );
  return { drafts, words, pictures, prompts };
}

const [original, polished] = ["Original Prompts", "GPT-3.5 Prompts"];

/** The frozen replies of a language model, by the template prompt that it was asked to polish. */
async function readPrompts(path: string) {
  const bytes = await readBytes(path);
  const { rows } = readTable(path, bytes, [original, polished]);
  const entries = rows.map((cells) => [cells[original]!, cells[polished]!.trim().replace(/[^?]$/, "$&?")] as const);
  const filled = entries.filter(([, text]) => text !== "").reverse(); // the first of equal ones counts
  const source = { sha256: hashOf(bytes), count: filled.length };
  return { polished: new Map(filled), texts: new Set(filled.map(([, text]) => text)), source };
}

/** Paths as they lie from the data file, with slashes on every system. */
const fromFile = (path: string, out: string) => relative(dirname(resolve(out)), resolve(path)).replaceAll("\\", "/");

function cellOf(draft: Draft, column: string, { task, out }: PrepareOptions, pieces: Pieces): string {
  if (column === "task") return task;
  if (column === "token_alignment") return pieces.align(draft.clean_prompt, draft.corrupt_prompt);
  if (column === "clean_image_path" || column === "corrupt_image_path") return fromFile(draft[column], out);
  return column in draft ? draft[column as Exclude<keyof Draft, "own">] : draft.own[column]!;
}

function pictureHashes(drafts: readonly Draft[], pictures: Pictures, out: string): Record<string, string> {
  const paths = drafts.flatMap(({ clean_image_path, corrupt_image_path }) => [clean_image_path, corrupt_image_path]);
  const hashes = [...new Set(paths)].map((path) => {
    const looked = pictures.get(path)!;
    return [fromFile(path, out), "sha256" in looked ? looked.sha256 : ""] as const;
  });
  return Object.fromEntries(hashes.sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function nothing({ data, task }: PrepareOptions, { drops }: Tally): string {
  const reasons = Object.entries(drops).map(([reason, count]) => `${count} ${reason}`);
  return `${data}: gives no row of task ${task} (${reasons.join("; ") || "no pictures"}); check its pictures and words`;
}
