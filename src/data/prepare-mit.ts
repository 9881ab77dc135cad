/** MIT-States: folders `adjective noun` to rows. */
import { allReplaced, type Draft, drop, type LookAt, python, replacement, type Workshop } from "./draft.ts";
import { foldersIn, picturesIn } from "./layout.ts";
import { isReadable } from "./pictures.ts";
import { type Vocabulary, vocabularyOf } from "./vocabulary.ts";
import type { States } from "./words.ts";

interface Pile {
  readonly adjective: string;
  readonly noun: string;
  readonly paths: readonly string[];
}

interface Table {
  readonly groups: ReadonlyMap<string, string>;
  readonly similar: ReadonlyMap<string, readonly string[]>;
  readonly vocabulary: Vocabulary;
}

export async function mitRows(folder: string, states: States, shop: Workshop, lookAt: LookAt): Promise<Draft[]> {
  const groups = new Map(
    [...states].flatMap(([group, words]) => [...words.keys()].map((word) => [word, group] as const)),
  );
  const similar = new Map([...states.values()].flatMap((words) => [...words]));
  const table = { groups, similar, vocabulary: vocabularyOf(groups.keys(), shop.pieces.count) };
  const piles = await readPiles(folder, table, shop, lookAt);
  const rows = piles.flatMap((pile) => pileRows(pile, piles, table, shop));
  const perCorrupt = firstPer("corrupt_image_path", rows, shop);
  return firstPer("clean_image_path", perCorrupt, shop).flatMap((row) => withReplacement(row, table, shop));
}

/** Folders of listed adjectives, in the order of their names, with the pictures that can be read. */
async function readPiles(folder: string, { groups }: Table, { tally }: Workshop, lookAt: LookAt): Promise<Pile[]> {
  const piles: Pile[] = [];
  for (const name of foldersIn(folder)) {
    const [, adjective = "", noun = ""] = /^(\S+) (.+)$/.exec(name) ?? [];
    const paths = picturesIn(folder, name);
    if (groups.has(adjective)) piles.push({ adjective, noun, paths });
    else drop(tally, "picture in a folder of no listed adjective", paths.length);
  }
  const looked = await lookAt(piles.flatMap(({ paths }) => paths));
  return piles.map((pile) => {
    const paths = pile.paths.filter((path) => isReadable(looked, path));
    drop(tally, "picture missing or unreadable", pile.paths.length - paths.length);
    return { ...pile, paths };
  });
}

function pileRows({ adjective, noun, paths }: Pile, piles: readonly Pile[], table: Table, shop: Workshop): Draft[] {
  const { random, tally } = shop;
  const similar = table.similar.get(adjective)!;
  const others = piles.filter(
    (other) =>
      other.noun === noun &&
      other.adjective !== adjective &&
      !similar.includes(other.adjective) &&
      other.paths.length > 0,
  );
  if (others.length === 0) {
    drop(tally, "no other adjective with pictures of the noun", paths.length);
    return [];
  }
  return paths.map((path) => {
    const wrong = random.choose(others);
    const correctFirst = random.uniform() > 0.5;
    const [a, b] = correctFirst ? [adjective, wrong.adjective] : [wrong.adjective, adjective];
    const state = table.groups.get(adjective)!;
    return {
      clean_image_path: path,
      corrupt_image_path: random.choose(wrong.paths),
      clean_prompt: `Is this ${noun} ${a} or ${b}?`,
      corrupt_prompt: "",
      correct_answer: adjective,
      incorrect_answer: wrong.adjective,
      correct_first: python(correctFirst),
      group: state,
      own: { noun, state },
    };
  });
}

/** The first row of each picture. */
function firstPer(
  column: "clean_image_path" | "corrupt_image_path",
  rows: readonly Draft[],
  { tally }: Workshop,
): Draft[] {
  const seen = new Set<string>();
  const kept = rows.filter((row) => !seen.has(row[column]) && seen.add(row[column]));
  drop(tally, `${column} used by an earlier row`, rows.length - kept.length);
  return kept;
}

/** Either option becomes a word that is neither the option nor like it; the two may coincide. */
function withReplacement(row: Draft, { similar, vocabulary }: Table, shop: Workshop): Draft[] {
  const options = [row.correct_answer, row.incorrect_answer];
  if (row.correct_first !== python(true)) options.reverse();
  const drawn = options.map((word) => replacement(shop, vocabulary, word, new Set([word, ...similar.get(word)!])));
  const words = allReplaced(shop, drawn);
  if (words === undefined) return [];
  return [{ ...row, corrupt_prompt: `Is this ${row.own.noun} ${words.map(({ word }) => word).join(" or ")}?` }];
}
