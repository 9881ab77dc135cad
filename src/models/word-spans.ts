/**
 * BERT's word pieces with the places they came from: clean, lower-case and strip accents as the Rust tokenizers do,
 * split at white space and punctuation, then take the longest known piece again and again.
 * Only characters that came after Unicode 8 may be classed otherwise: Rust's tables stop there, JavaScript's go on.
 */

/** UTF-16 offsets in the original text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Piece extends Span {
  readonly token: string;
}

/** A stretch of the text: a token written out in it, or what lies between two of those. */
export interface Section {
  readonly text: string;
  readonly start: number;
  readonly added: boolean;
}

export interface WordPieceRules {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknown: string;
  /** What marks a piece that continues a word, `##`. */
  readonly prefix: string;
  readonly maxCharacters: number;
  readonly spaceAroundCjk: boolean;
  readonly stripAccents: boolean;
  readonly lowerCase: boolean;
}

/** One normalised character and the original character that it came from. */
interface Character extends Span {
  readonly text: string;
}

/** The pieces of each word of a text, which begins at `start` of the original text. */
export function wordPieces({ text, start }: Section, rules: WordPieceRules): Piece[][] {
  return splitWords(normalise(text, start, rules)).map((word) => splitWord(word, rules));
}

function normalise(text: string, offset: number, rules: WordPieceRules): Character[] {
  const characters: Character[] = [];
  let start = offset;
  for (const original of text) {
    const end = start + original.length;
    const emit = (t: string) => characters.push({ text: t, start, end });
    // Control characters go first: some of them are white space too, such as U+0085.
    const kept = !dropped.test(original);
    if (kept && space.test(original)) emit(" ");
    else if (kept) {
      const cjk = rules.spaceAroundCjk && isCjk(original.codePointAt(0)!);
      if (cjk) emit(" ");
      const bare = rules.stripAccents ? original.normalize("NFD").replace(/\p{Mn}/gu, "") : original;
      // One character at a time, or JavaScript would write a sigma at the end of a word as ς, which Rust does not.
      for (const c of bare) for (const lower of rules.lowerCase ? c.toLowerCase() : c) emit(lower);
      if (cjk) emit(" ");
    }
    start = end;
  }
  return characters;
}

const space = /^\p{White_Space}$/u;
const dropped = /^(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]$/u;
const punctuation = /^[\p{P}!-/:-@[-`{-~]$/u;

function isCjk(c: number): boolean {
  return cjkBlocks.some(([first, last]) => c >= first && c <= last);
}

const cjkBlocks = [
  [0x4e00, 0x9fff],
  [0x3400, 0x4dbf],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff],
  [0x2f800, 0x2fa1f],
] as const;

function splitWords(characters: readonly Character[]): Character[][] {
  const words: Character[][] = [];
  let word: Character[] | null = null;
  for (const character of characters) {
    const alone = punctuation.test(character.text);
    if (alone) words.push([character]);
    if (alone || space.test(character.text)) word = null;
    else if (word) word.push(character);
    else {
      word = [character];
      words.push(word);
    }
  }
  return words;
}

function splitWord(word: readonly Character[], rules: WordPieceRules): Piece[] {
  const piece = (token: string, from: number, to: number): Piece => ({
    token,
    start: word[from]!.start,
    end: word[to - 1]!.end,
  });
  const whole = [piece(rules.unknown, 0, word.length)];
  if (word.length > rules.maxCharacters) return whole;
  const pieces: Piece[] = [];
  for (let from = 0; from < word.length; ) {
    let to = word.length;
    const token = () =>
      (from > 0 ? rules.prefix : "") +
      word
        .slice(from, to)
        .map((c) => c.text)
        .join("");
    while (to > from && !rules.vocabulary.has(token())) to--;
    if (to === from) return whole;
    pieces.push(piece(token(), from, to));
    from = to;
  }
  return pieces;
}
