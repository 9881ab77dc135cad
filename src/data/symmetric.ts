/** Symmetric token replacement of SVO-Probes: both options become other words of their place in the triplets. */
import { allReplaced, drop, type Replacement, replacement, type Workshop } from "./draft.ts";
import { aroundOr, type Participle } from "./participle.ts";
import type { Triplet } from "./triplets.ts";
import { vocabularyOf } from "./vocabulary.ts";
import { bestWord, wRatio } from "./wratio.ts";

export interface Replaceable {
  readonly prompt: string;
  readonly positive: Triplet;
  readonly negative: Triplet;
  /** The negated place of the triplets. */
  readonly place: number;
}

/** What the original writes where it finds no option; its selection leaves these rows out. */
export const NO_PROMPT = "NO PROMPT MADE";

const VERB = 1;
/** Where a place has no word left, nouns stand for nouns. */
const otherRole: readonly (number | undefined)[] = [2, undefined, 0];

/**
 * Makes corrupt prompts; undefined where there can be none, which is counted.
 * @param words of each place
 */
export function symmetricPrompts(
  words: readonly Iterable<string>[],
  participle: Participle,
  shop: Workshop,
): (one: Replaceable) => string | undefined {
  const { defects, pieces } = shop;
  const plain = words.map((some) => vocabularyOf([...some].sort(), pieces.count));
  const verbs = vocabularyOf([...words[VERB]!].sort(), (verb) => pieces.count(participle(verb)));
  const score = remembered(wRatio);

  /** D11 leaves the -ing step to the selection; D22 does it by substring, when the prompt is made. */
  const stepOf = ({ prompt, place }: Replaceable) =>
    place !== VERB || prompt.startsWith("Does") || defects.D11 === "upstream" ? "none" : defects.D22;

  function draw(one: Replaceable, word: string, banned: readonly (string | undefined)[]): Replacement | undefined {
    const vocabulary = stepOf(one) === "corrected" ? verbs : plain[one.place]!;
    const chosen = replacement(shop, vocabulary, bare(word), new Set(banned.map(String)));
    const other = otherRole[one.place];
    if (chosen !== undefined || other === undefined) return chosen;
    const foreign = replacement(shop, plain[other]!, bare(word), new Set(banned.map(String)));
    return foreign && { ...foreign, isForeign: true };
  }

  function put(one: Replaceable, old: string, { word }: Replacement): string {
    const form = stepOf(one) === "corrected" ? participle(word) : word;
    return defects.D15 === "corrected" ? old.replace(bare(old), () => form) : form;
  }

  return (one) => {
    const { prompt, positive, negative, place } = one;
    const all = prompt.split(" ");
    const [first, second] = [positive, negative].map((triplet) => bestWord(triplet[place]!, all, 60, score));
    if (first === -1 || second === -1 || first === second) {
      if (defects.D11 === "upstream") return NO_PROMPT;
      drop(shop.tally, "option not found in the prompt");
      return undefined;
    }
    const left = draw(one, all[first!]!, [...positive, negative[place]]);
    // D14 bans the negative verb in the object's place.
    const own = negative[defects.D14 === "upstream" && place > VERB ? VERB : place];
    const right = draw(one, all[second!]!, [...positive, own, left?.word]);
    const both = allReplaced(shop, [left, right]);
    if (both === undefined) return undefined;
    all[first!] = put(one, all[first!]!, both[0]!);
    all[second!] = put(one, all[second!]!, both[1]!);
    return stepOf(one) === "upstream" ? aroundOr(all.join(" "), participle, "upstream") : all.join(" ");
  };
}

/** A word without the marks around it. */
const bare = (word: string): string => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");

const REMEMBERED = 2_000;

function remembered(score: (a: string, b: string) => number): typeof score {
  const known = new Map<string, number>();
  return (a, b) => {
    const key = `${a}\n${b}`;
    const value = known.get(key) ?? score(a, b);
    if (known.size === REMEMBERED) known.clear();
    known.set(key, value);
    return value;
  };
}
