/** The ids of the two answers, whose logits a sweep compares, and the original's place of the correct one in the prompt. */

import { shortAnswer } from "../data/evaluate.ts";
import type { Sample } from "../data/sample.ts";
import { bestWord } from "../data/wratio.ts";
import { UserError } from "../models/errors.ts";
import { runOf } from "../models/inputs.ts";
import type { Input, Model } from "../models/model.ts";
import { untapped } from "../models/scope.ts";
import { length } from "./positions.ts";
import type { Compat } from "./record.ts";

/**
 * The first piece of each answer. LLaVA answers with a capital letter or without, and both ids follow what the clean run
 * prefers; the original (D24) takes the last piece of what the model generated and of the wrong answer as it is written.
 * @throws UserError for answers that cannot be told apart
 */
export async function answerIds(
  model: Model,
  clean: Input,
  sample: Sample,
  capitals: Compat | undefined,
): Promise<[number, number]> {
  const { correctAnswer, incorrectAnswer } = sample;
  const ids = await (clean.picture ? amongWords(model, clean, sample, capitals) : [correctAnswer, incorrectAnswer]);
  const [correct, incorrect] = ids.map((answer) => (typeof answer === "string" ? piece(model, answer, 0) : answer));
  if (correct !== incorrect) return [correct!, incorrect!];
  throw new UserError(
    `answers "${correctAnswer}" and "${incorrectAnswer}" start with the same word piece, so their logits cannot differ`,
  );
}

async function amongWords(
  model: Model,
  clean: Input,
  { correctAnswer, incorrectAnswer, generatedText }: Sample,
  capitals: Compat | undefined,
): Promise<[string | number, string | number]> {
  if (capitals === "upstream") {
    const generated = generatedText ?? (await answered(model, clean, correctAnswer));
    return [piece(model, generated, -1), piece(model, incorrectAnswer, -1)];
  }
  const logits = model.forward(clean, untapped, { firstToken: length(clean) - 1 });
  const values = await model.gpu.read(logits);
  model.gpu.release(logits);
  const [plain, capital] = [correctAnswer, capitalised(correctAnswer)].map((form) => values[piece(model, form, 0)]!);
  return capital! > plain!
    ? [capitalised(correctAnswer), capitalised(incorrectAnswer)]
    : [correctAnswer, incorrectAnswer];
}

/** A dry run answers nothing; the cost is the same with the correct answer. */
const answered = async (model: Model, clean: Input, correct: string): Promise<string> =>
  model.gpu.info.kind === "none" ? correct : shortAnswer((await model.generate(clean)).text, true);

const capitalised = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** @throws UserError for an answer that the vocabulary cannot spell */
export function piece(model: Model, answer: string, at: 0 | -1): number {
  const id = model.pieces(answer).at(at);
  if (id === undefined) throw new UserError(`answer "${answer}": has no word pieces, expected a word`);
  if (!["[UNK]", "<unk>"].includes(model.tokenText(id))) return id;
  throw new UserError(
    `answer "${answer}": the vocabulary does not know it; choose another word, or give a token's id in a plan`,
  );
}

/**
 * Where the original looks for LLaVA's correct answer (NOTICE.md 7): the token that spells it, else the last piece of the
 * word that is most like it and that no other word of the question claims.
 */
export function originalAnswerToken(model: Model, { ids }: Input, sample: Sample): number | null {
  const { correctAnswer: correct } = sample;
  const tokens = ids.map((id) => model.tokenText(id));
  const exact = tokens.indexOf(`▁${correct}`);
  if (exact !== -1) return exact;
  const own = model.pieces(correct).map((id) => model.tokenText(id));
  if (own[0] === "▁") return runOf(ids, model.pieces(correct).slice(1)).at(-1) ?? null;
  const claimed = new Set(["or", ...claims(sample)].map((word) => tokens.indexOf(`▁${word}`)));
  const free = tokens.map((_, i) => i).filter((i) => tokens[i]!.startsWith("▁") && !claimed.has(i));
  const best = bestWord(
    correct,
    free.map((i) => tokens[i]!),
    55,
  );
  if (best === -1) return null;
  let last = free[best]!;
  while (last + 1 < tokens.length && /^\p{L}/u.test(tokens[last + 1]!)) last++;
  return last;
}

/** Words of the question that stand for themselves. */
function claims({ task, correctAnswer, incorrectAnswer, roles }: Sample): string[] {
  const frame = task === "facial_expressions" ? ["Is", "this", "person", "feeling"] : ["Is", "this"];
  const words = [...frame, incorrectAnswer.toLowerCase(), ...Object.values(roles)];
  return words.filter((word) => word !== correctAnswer);
}
