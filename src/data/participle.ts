/** Present participles: base form first, then the first rule that fits, but for a table of exceptions. */
import type { Compat } from "./defects.ts";
import { list, record, type Words } from "./words.ts";

export type Participle = (verb: string) => string;

/**
 * @param words `participles`: forms by verb; `doubled`: verbs of several syllables, stressed on the last, that double its
 * consonant; `base`: base forms of irregular ones, and of those that look like an inflected one
 */
export function readParticiples({ path, json }: Words): Participle {
  const words = record(path, "the file", json);
  const table = (name: string) =>
    new Map(Object.entries(record(path, `"${name}"`, words[name]) as Record<string, string>));
  const [exceptions, bases] = [table("participles"), table("base")];
  const doubled = new Set(list(path, '"doubled"', words.doubled));
  return (verb) => {
    const known = exceptions.get(verb);
    if (known !== undefined) return known;
    const base = bases.get(verb);
    if (base === undefined && isParticiple(verb)) return verb;
    if (base === undefined && isPast(verb)) return verb.replace(/ed$/, "ing").replace(/iing$/, "ying");
    const form = base ?? withoutS(verb);
    return exceptions.get(form) ?? withIng(form, doubled);
  };
}

/** `walking`: -ing after a syllable. */
const isParticiple = (verb: string) => /[aeiouy].*ing$/.test(verb);

/** `skated`, `stopped`, `carried`: what stands before -ed is what stands before -ing. */
const isPast = (verb: string) => /[aeiouy].*ed$/.test(verb) && !verb.endsWith("eed");

/** `rides` to `ride`, `watches` to `watch`; a base form stays. */
function withoutS(verb: string): string {
  if (/..ies$/.test(verb)) return verb.length <= 4 ? verb.slice(0, -1) : `${verb.slice(0, -3)}y`;
  if (/(?:ch|sh|ss|x|zz|o)es$/.test(verb)) return verb.slice(0, -2);
  return /[^sui]s$/.test(verb) ? verb.slice(0, -1) : verb;
}

function withIng(base: string, doubled: ReadonlySet<string>): string {
  if (base.endsWith("ie")) return `${base.slice(0, -2)}ying`;
  if (/(?:ee|oe|ye)$/.test(base)) return `${base}ing`;
  if (base.endsWith("e")) return `${base.slice(0, -1)}ing`;
  if (base.endsWith("c")) return `${base}king`;
  return doubledLast(base, doubled) ? `${base}${base.at(-1)}ing` : `${base}ing`;
}

/** One syllable of one vowel and one consonant, `qu` being a consonant, or a verb of the table. */
const doubledLast = (base: string, doubled: ReadonlySet<string>) =>
  doubled.has(base) || /^(?:[^aeiou]*|[^aeiou]*qu)[aeiou][^aeiouwxy]$/.test(base);

/**
 * The words before and after `or` as participles; a prompt that starts with `Does` stays.
 * @param defect D22: `upstream` replaces the first place where the letters stand, be it inside another word
 */
export function aroundOr(prompt: string, participle: Participle, defect: Compat): string {
  const words = prompt.split(" ");
  const or = words.indexOf("or");
  if (words[0] === "Does" || or < 1 || or === words.length - 1) return prompt;
  if (defect === "corrected")
    return words.map((word, i) => (Math.abs(i - or) === 1 ? inflect(word, participle) : word)).join(" ");
  return [words[or - 1]!, words[or + 1]!].reduce(
    (text, word) => text.replace(word, () => inflect(word, participle)),
    prompt,
  );
}

/** Marks around the word stay. */
const inflect = (word: string, participle: Participle) => word.replace(/\p{L}+/u, (verb) => participle(verb));
