/** Word tables: the original's ship with the package under `data/words`, a task may bring its own. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { packageRoot } from "../version.ts";
import { readBytes } from "./table.ts";

/** A table and the hash of its file, whatever its line ends. */
export interface Words {
  readonly path: string;
  readonly json: unknown;
  readonly sha256: string;
}

/**
 * @param name of the table
 * @param own a file of the user's, or the folder of a task that may hold one
 */
export async function loadWords(name: string, own?: { file?: string | undefined; folder?: string }): Promise<Words> {
  const inFolder = own?.folder === undefined ? undefined : join(own.folder, name);
  const path = own?.file ?? (inFolder && existsSync(inFolder) ? inFolder : join(packageRoot(), "data", "words", name));
  const text = Buffer.from(await readBytes(path))
    .toString("utf8")
    .replaceAll("\r\n", "\n");
  try {
    return { path, json: JSON.parse(text), sha256: hashOf(text) };
  } catch (error) {
    throw new UserError(`${path}: is not JSON (${(error as Error).message}); compare it with data/words/${name}`);
  }
}

/** Adjectives of MIT-States: group, word, and the words that are too like it to be offered beside it. */
export type States = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

export function readStates({ path, json }: Words): States {
  const groups = Object.entries(record(path, "the file", json)).map(([group, words]) => {
    const entries = Object.entries(record(path, `"${group}"`, words));
    return [
      group,
      new Map(entries.map(([word, similar]) => [word, list(path, `"${group}"."${word}"`, similar)])),
    ] as const;
  });
  const all = groups.flatMap(([, words]) => [...words.keys()]);
  const double = all.find((word, i) => all.indexOf(word) !== i);
  if (double !== undefined) throw new UserError(`${path}: has "${double}" in two groups; leave it in one`);
  if (all.length < 2) throw new UserError(`${path}: has ${all.length} words, expected at least two; add some`);
  return new Map(groups);
}

/** Emotions: which folder shows which, and words in their place by sentiment. */
export interface Emotions {
  readonly adjectives: ReadonlyMap<string, string>;
  readonly sentiments: ReadonlyMap<string, string>;
  readonly words: Readonly<Record<"positive" | "negative" | "neutral", readonly string[]>>;
}

export function readEmotions({ path, json }: Words): Emotions {
  const { folders, words } = record(path, "the file", json);
  const adjectives = Object.entries(record(path, '"folders"', folders)).map(
    ([folder, word]) => [folder, String(word)] as const,
  );
  const sentiments = new Map<string, string>();
  const bySentiment = { positive: [] as string[], negative: [] as string[], neutral: [] as string[] };
  for (const [sentiment, into] of Object.entries(bySentiment)) {
    const cores = record(path, `"words"."${sentiment}"`, record(path, '"words"', words)[sentiment]);
    for (const [core, some] of Object.entries(cores)) {
      sentiments.set(core, sentiment);
      into.push(...list(path, `"words"."${sentiment}"."${core}"`, some));
    }
    if (into.length === 0) throw new UserError(`${path}: "words"."${sentiment}" has no words; add some`);
  }
  return { adjectives: new Map(adjectives), sentiments, words: bySentiment };
}

export function record(path: string, where: string, value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UserError(
    `${path}: ${where} is ${JSON.stringify(value)?.slice(0, 40)}, expected an object; see data/words`,
  );
}

export function list(path: string, where: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((word) => typeof word === "string")) return value;
  throw new UserError(
    `${path}: ${where} is ${JSON.stringify(value)?.slice(0, 40)}, expected a list of words; see data/words`,
  );
}
