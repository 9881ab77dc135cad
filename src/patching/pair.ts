/** A row of a data file in one mode: the two runs, what each token of the clean prompt does, and where it stands in the other. */
import type { Sample } from "../data/sample.ts";
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import type { EncodedText } from "../models/tokenizer.ts";
import { answerIds } from "./answers.ts";
import type { Defect } from "./defects.ts";
import type { Compat, Mode, Token } from "./record.ts";
import type { Pair } from "./sweep.ts";

export interface SamplePair extends Pair {
  readonly clean: Input;
  readonly tokens: readonly Token[];
  /** For each token of the clean prompt its index in the corrupt one, or null. */
  readonly alignment: readonly (number | null)[];
  readonly answerToken: number | null;
  /** Where the question begins: after the picture in LLaVA, 0 in BLIP. */
  readonly questionToken: number;
}

export interface PairOptions {
  readonly mode: Mode;
  /** As they are in force; what is not named is corrected. */
  readonly defects: Readonly<Partial<Record<Defect, Compat>>>;
  readonly direction: "denoising" | "noising";
}

/**
 * `image`: the pictures differ, the clean prompt stays. `text`: the clean picture stays, the prompts differ.
 * @throws UserError for prompts that cannot be aligned, or answers that start with the same piece
 */
export async function samplePair(
  model: Model,
  sample: Sample,
  { mode, defects, direction }: PairOptions,
): Promise<SamplePair> {
  const clean = await model.input({ image: sample.cleanImage, text: sample.cleanPrompt });
  const corrupt = await model.input(
    mode === "image"
      ? { image: sample.corruptImage, text: sample.cleanPrompt }
      : { image: sample.cleanImage, text: sample.corruptPrompt },
  );
  const answers = await answerIds(model, clean, sample, defects.D24);
  const tokens = roleTokens(model, clean.text!, sample);
  const plain = defects.D8 === "upstream";
  const length = Math.max(clean.ids.length, corrupt.ids.length);
  const pads = plain && !clean.picture;
  const [cleanRun, corruptRun] = pads
    ? [padded(clean, length, model.padId), padded(corrupt, length, model.padId)]
    : [clean, corrupt];
  const alignment = plain ? byIndex(tokens, corruptRun) : align(clean.text!, corrupt.text!);
  const [base, other] = direction === "denoising" ? [corruptRun, cleanRun] : [cleanRun, corruptRun];
  const answerToken = defects.D4 === "upstream" ? substringRow(model, tokens, sample) : lastPiece(tokens);
  return {
    base,
    other,
    answers,
    direction,
    clean,
    tokens,
    alignment,
    answerToken,
    questionToken: questionStart(clean),
  };
}

/** The original copies from and to the same index, and loses the whole row where there is no such token (D8, D10). */
function byIndex(tokens: readonly Token[], corrupt: Input): number[] {
  if (tokens.length > corrupt.ids.length)
    throw new UserError(
      `prompts have ${tokens.length} and ${corrupt.ids.length} tokens, and the original loses such a row: token ${corrupt.ids.length} has no counterpart (D8)`,
    );
  return tokens.map((_, i) => i);
}

/** The first word after the picture's token. */
function questionStart({ picture, text }: Input): number {
  return picture ? text!.words.find(({ first }) => first > picture.at)!.first : 0;
}

/** The original pads the shorter prompt and attends to the padding (D8). */
const padded = (input: Input, length: number, padId: number): Input => ({
  ...input,
  ids: [...input.ids, ...new Array<number>(length - input.ids.length).fill(padId)],
});

/**
 * For each token of one prompt its index in the other, or null: words stand for words, in order, and the pieces of a word
 * are aligned from its end.
 * @throws UserError for prompts of different numbers of words
 */
export function align(clean: EncodedText, corrupt: EncodedText): (number | null)[] {
  if (clean.words.length !== corrupt.words.length) {
    throw new UserError(
      `prompts have ${clean.words.length} and ${corrupt.words.length} words, expected equal numbers: each word is replaced by one word`,
    );
  }
  const alignment = new Array<number | null>(clean.ids.length).fill(null);
  for (let i = 0; i < clean.ids.length && clean.ids[i] === corrupt.ids[i]; i++) alignment[i] = i;
  alignment[clean.ids.length - 1] = corrupt.ids.length - 1;
  clean.words.forEach((word, i) => {
    const other = corrupt.words[i]!;
    for (let back = 1; back <= Math.min(word.count, other.count); back++) {
      alignment[word.first + word.count - back] = other.first + other.count - back;
    }
  });
  return alignment;
}

function roleTokens(model: Model, text: EncodedText, sample: Sample): Token[] {
  const tokens = text.ids.map((id): Token => {
    const spelled = model.tokenText(id);
    return { id, text: spelled, role: spelled, piece: 0, pieces: 1 };
  });
  const words = text.words.map(({ text: word }) => word.toLowerCase());
  text.words.forEach(({ first, count }, i) => {
    for (let piece = 0; piece < count; piece++) {
      tokens[first + piece] = { ...tokens[first + piece]!, role: roleOf(words, i, sample), piece, pieces: count };
    }
  });
  return tokens;
}

function roleOf(words: readonly string[], at: number, { correctAnswer, incorrectAnswer, roles }: Sample): string {
  const word = words[at]!;
  if (wordsOf(correctAnswer).includes(word)) return "correct";
  if (wordsOf(incorrectAnswer).includes(word)) return "incorrect";
  const role = Object.entries(roles).find(([, text]) => wordsOf(text).some((part) => inflected(word, part)));
  return role?.[0] ?? word;
}

const wordsOf = (text: string) =>
  text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");

/** `walking` is a form of `walk`, `riding` of `ride`. */
const inflected = (word: string, base: string) =>
  word === base || (word.endsWith("ing") && word.startsWith(base.replace(/e$/, "")) && word.length <= base.length + 4);

/** The end of the first run of tokens that spell the correct answer. */
const lastPiece = (tokens: readonly Token[]): number | null => {
  const last = tokens.findIndex(({ role }, i) => role === "correct" && tokens[i + 1]?.role !== "correct");
  return last === -1 ? null : last;
};

/** D4: the first token that holds the answer's first piece, counted without [CLS]: the row before the answer. */
function substringRow(model: Model, tokens: readonly Token[], { correctAnswer }: Sample): number | null {
  const piece = model.tokenText(model.pieces(correctAnswer.toLowerCase())[0]!);
  const inner = tokens.slice(1, -1);
  const found = inner.findIndex(({ text }) => text.includes(piece));
  return found === -1 ? null : found;
}
