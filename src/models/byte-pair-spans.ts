/** Where LLaMA's tokens stand in the text: they spell it out, with "▁" for a space and some put in front. */
import type { Piece, Section } from "./word-spans.ts";

export interface BytePairRules {
  /** Which sections get a "▁" in front. */
  readonly prepend: "always" | "first" | "never";
  /** Whether a section that begins with a space gets one too. */
  readonly beforeSpace: boolean;
}

/** The tokens of the sections, in groups: a word, a punctuation mark, or white space each. */
export function bytePairs(tokens: readonly string[], sections: readonly Section[], rules: BytePairRules): Piece[][] {
  const groups: Piece[][] = [];
  let next = 0;
  for (const [i, section] of sections.entries()) {
    const { text, start } = section;
    if (section.added) {
      groups.push([{ token: tokens[next++]!, start, end: start + text.length }]);
      continue;
    }
    const pieces: Piece[] = [];
    const characters = spell(section, i, rules);
    for (let at = 0; at < characters.length; ) {
      const token = tokens[next++]!;
      const first = characters[at]!;
      // A character outside the vocabulary is spelt in bytes, one token each, which all stand where it stands.
      const bytes = byteToken.test(token) ? new TextEncoder().encode(first.token).length : 0;
      const to = at + (bytes > 0 ? 1 : [...token].length);
      pieces.push({ token, start: first.start, end: characters[to - 1]!.end });
      for (let b = 1; b < bytes; b++) pieces.push({ ...pieces.at(-1)!, token: tokens[next++]! });
      at = to;
    }
    groups.push(...group(pieces, text, start));
  }
  return groups;
}

const byteToken = /^<0x[0-9A-F]{2}>$/;

/** The characters that the tokens of a section spell; the "▁" in front stands where the first one stands. */
function spell({ text, start }: Section, index: number, rules: BytePairRules): Piece[] {
  const characters: Piece[] = [];
  let at = start;
  for (const c of text) {
    characters.push({ token: c === " " ? "▁" : c, start: at, end: at + c.length });
    at += c.length;
  }
  const wanted = rules.prepend === "always" || (rules.prepend === "first" && index === 0);
  if (wanted && (rules.beforeSpace || characters[0]!.token !== "▁"))
    characters.unshift({ ...characters[0]!, token: "▁" });
  return characters;
}

/** A piece goes on with the word before it where no white space or punctuation, as BERT sees it, lies between. */
function group(pieces: readonly Piece[], text: string, start: number): Piece[][] {
  const groups: Piece[][] = [];
  let reached = 0;
  for (const piece of pieces) {
    insideWord.lastIndex = piece.start - start;
    const goesOn = groups.length > 0 && (piece.start < reached || insideWord.test(text));
    if (goesOn) groups.at(-1)!.push(piece);
    else groups.push([piece]);
    reached = piece.end;
  }
  return groups;
}

const insideWord = /(?<=[^\s\p{P}$+<=>^`|~])(?=[^\s\p{P}$+<=>^`|~])/uy;
