/** A row of a data file in one mode: the two runs, what each token of the clean prompt does, and where it stands in the other. */
import type { Sample } from "../data/sample.ts";
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import type { EncodedText } from "../models/tokenizer.ts";
import type { Compat, Mode, Token } from "./record.ts";
import type { Pair } from "./sweep.ts";

export interface SamplePair extends Pair {
  readonly tokens: readonly Token[];
  /** For each token of the clean prompt its index in the corrupt one, or null. */
  readonly alignment: readonly (number | null)[];
  readonly answerToken: number | null;
}

export interface PairOptions {
  readonly mode: Mode;
  /** D4 and D8 as they are in force. */
  readonly defects: Readonly<Record<"D4" | "D8", Compat>>;
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
  const answers: [number, number] = [answerId(model, sample.correctAnswer), answerId(model, sample.incorrectAnswer)];
  if (answers[0] === answers[1]) {
    throw new UserError(
      `answers "${sample.correctAnswer}" and "${sample.incorrectAnswer}" start with the same word piece, so their logits cannot differ`,
    );
  }
  const tokens = roleTokens(model, clean.text!, sample);
  const upstream = defects.D8 === "upstream";
  const length = Math.max(clean.ids.length, corrupt.ids.length);
  const [cleanRun, corruptRun] = upstream
    ? [padded(clean, length, model.padId), padded(corrupt, length, model.padId)]
    : [clean, corrupt];
  const alignment = upstream ? tokens.map((_, i) => i) : align(clean.text!, corrupt.text!);
  const [base, other] = direction === "denoising" ? [corruptRun, cleanRun] : [cleanRun, corruptRun];
  const answerToken = defects.D4 === "upstream" ? substringRow(model, tokens, sample) : lastPiece(tokens);
  return { base, other, answers, direction, tokens, alignment, answerToken };
}

/** The first word piece of an answer, as the original takes it. */
function answerId(model: Model, answer: string): number {
  const [first] = model.pieces(answer);
  if (first === undefined) throw new UserError(`answer "${answer}": has no word pieces, expected a word`);
  return first;
}

/** The original pads the shorter prompt and attends to the padding (D8). */
const padded = (input: Input, length: number, padId: number): Input => ({
  ...input,
  ids: [...input.ids, ...new Array<number>(length - input.ids.length).fill(padId)],
});

/** Words stand for words, in order; the pieces of a word are aligned from its end. */
function align(clean: EncodedText, corrupt: EncodedText): (number | null)[] {
  if (clean.words.length !== corrupt.words.length) {
    throw new UserError(
      `prompts have ${clean.words.length} and ${corrupt.words.length} words, expected equal numbers: each word is replaced by one word`,
    );
  }
  const alignment = new Array<number | null>(clean.ids.length).fill(null);
  alignment[0] = 0;
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

const lastPiece = (tokens: readonly Token[]): number | null => {
  const last = tokens.findIndex(({ role, piece, pieces }) => role === "correct" && piece === pieces - 1);
  return last === -1 ? null : last;
};

/** D4: the first token that holds the answer's first piece, counted without [CLS]: the row before the answer. */
function substringRow(model: Model, tokens: readonly Token[], { correctAnswer }: Sample): number | null {
  const piece = model.tokenText(answerId(model, correctAnswer.toLowerCase()));
  const inner = tokens.slice(1, -1);
  const found = inner.findIndex(({ text }) => text.includes(piece));
  return found === -1 ? null : found;
}
