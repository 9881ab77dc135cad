/** Words to draw replacements from, sorted by their number of pieces. */
import type { Random } from "./random.ts";

export interface Vocabulary {
  /** Pieces of a word as it will stand in the prompt. */
  count(word: string): number;
  /** A uniform word that is not banned, of `count` pieces if there is one; undefined where all are banned. */
  draw(random: Random, banned: ReadonlySet<string>, count?: number): string | undefined;
}

export function vocabularyOf(words: Iterable<string>, count: (word: string) => number): Vocabulary {
  const all = [...new Set(words)];
  const byCount = new Map<number, string[]>();
  for (const word of all) {
    const pile = byCount.get(count(word));
    if (pile) pile.push(word);
    else byCount.set(count(word), [word]);
  }
  return {
    count,
    draw(random, banned, wanted) {
      const open = (pile: readonly string[]) => pile.some((word) => !banned.has(word));
      const same = wanted === undefined ? [] : (byCount.get(wanted) ?? []);
      const pile = open(same) ? same : all;
      if (!open(pile)) return undefined;
      for (;;) {
        const word = random.choose(pile);
        if (!banned.has(word)) return word;
      }
    },
  };
}
