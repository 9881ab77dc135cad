/** What the making of a data file has in common for the three tasks: rows before they are written, and what was left out. */
import type { DefectStates, prepareDefects } from "./defects.ts";
import type { Pictures } from "./pictures.ts";
import type { Pieces } from "./pieces.ts";
import type { Random } from "./random.ts";
import type { Cells } from "./table.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Cells by column; those of the two pictures hold paths that can be opened. `own` holds the columns of the task. */
export interface Draft {
  readonly clean_image_path: string;
  readonly corrupt_image_path: string;
  readonly clean_prompt: string;
  readonly corrupt_prompt: string;
  readonly correct_answer: string;
  readonly incorrect_answer: string;
  readonly correct_first: string;
  readonly group: string;
  readonly own: Cells;
}

export interface Workshop {
  readonly random: Random;
  readonly pieces: Pieces;
  readonly defects: DefectStates<typeof prepareDefects>;
  readonly tally: Tally;
}

/** Which pictures can be read; asked once, before the first row is made. */
export type LookAt = (paths: readonly string[]) => Promise<Pictures>;

/** Counts by reason. */
export interface Tally {
  readonly drops: Record<string, number>;
  readonly replacements: Record<"equal pieces" | "unequal pieces" | "another role", number>;
}

export const newTally = (): Tally => ({
  drops: {},
  replacements: { "equal pieces": 0, "unequal pieces": 0, "another role": 0 },
});

export function drop({ drops }: Tally, reason: string, rows = 1): void {
  if (rows > 0) drops[reason] = (drops[reason] ?? 0) + rows;
}

export interface Replacement {
  readonly word: string;
  readonly isEqual: boolean;
  readonly isForeign?: boolean;
}

/** A word in the place of `word`, with as many pieces where there is one (D8); undefined where all are banned. */
export function replacement(
  { random, pieces, defects }: Workshop,
  vocabulary: Vocabulary,
  word: string,
  banned: ReadonlySet<string>,
): Replacement | undefined {
  const wanted = pieces.count(word);
  const chosen = vocabulary.draw(random, banned, defects.D8 === "upstream" ? undefined : wanted);
  return chosen === undefined ? undefined : { word: chosen, isEqual: vocabulary.count(chosen) === wanted };
}

/** Counts them, if there are all; else their row is left out. */
export function allReplaced(
  { tally }: Workshop,
  words: readonly (Replacement | undefined)[],
): readonly Replacement[] | undefined {
  const found = words.filter((word) => word !== undefined);
  if (found.length < words.length) {
    drop(tally, "no word left to replace an option by");
    return undefined;
  }
  for (const { isEqual, isForeign } of found) {
    tally.replacements[isEqual ? "equal pieces" : "unequal pieces"]++;
    if (isForeign) tally.replacements["another role"]++;
  }
  return found;
}

/** The original's way to write truth. */
export const python = (value: boolean): string => (value ? "True" : "False");
