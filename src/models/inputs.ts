/** What a model's processor and tokenizer do, whatever the model. */
import { UserError } from "./errors.ts";
import type { Input, InputSource } from "./model.ts";

export interface Inputs {
  read(source: InputSource): Promise<Input>;
  decode(ids: readonly number[]): string;
  /** Which of the prompt's tokens spell a word, the first time. */
  findWord(input: Input, word: string): number[];
  /** Ids of a text without special tokens. */
  pieces(text: string): number[];
  tokenText(id: number): string;
  readonly padId: number;
}

/** Where a run of ids first stands. */
export function runOf(ids: readonly number[], run: readonly number[]): number[] {
  const first = ids.findIndex((_, at) => run.length > 0 && run.every((id, i) => ids[at + i] === id));
  return first === -1 ? [] : run.map((_, i) => first + i);
}

/** @throws UserError for an id that the vocabulary does not have */
export function checkIds(ids: readonly number[], vocabSize: number): void {
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (wrong !== undefined)
    throw new UserError(`input_ids: got ${wrong}, expected whole numbers from 0 to ${vocabSize - 1}`);
}
