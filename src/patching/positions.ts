/** Which tokens a sweep patches, and where they lie along the token axis of a site. */
import { UserError } from "../models/errors.ts";
import type { Input } from "../models/model.ts";
import type { SamplePair } from "./pair.ts";

/**
 * `question`: every token from the question on (BLIP: the whole prompt); `answer`: the last piece of the correct answer;
 * `last`: the prompt's last token; `all`: every token but the picture's; `image`: each patch of the picture.
 */
export const positionNames = ["question", "answer", "last", "all", "image"] as const;
export type PositionName = (typeof positionNames)[number];

/** One row of a table. */
export interface Place {
  /** Token of the clean prompt; the picture's for a patch. */
  readonly token: number;
  /** Where it lies in the run that is patched and in the run that is copied from; null where it has no counterpart. */
  readonly runs: { readonly to: number; readonly from: number } | null;
}

/** The tokens of the clean prompt that names mean, in order, each once. */
export function tokensAt(pair: SamplePair, names: readonly PositionName[]): number[] {
  const { tokens, questionToken, answerToken, clean } = pair;
  const words = tokens.map((_, token) => token).filter((token) => token !== clean.picture?.at);
  const meant: Record<PositionName, () => readonly number[]> = {
    question: () => words.filter((token) => token >= questionToken),
    answer: () => (answerToken === null ? [] : [answerToken]),
    last: () => [tokens.length - 1],
    all: () => words,
    image: () => [],
  };
  return [...new Set(names.flatMap((name) => meant[name]()))].sort((a, b) => a - b);
}

/**
 * Tokens of the clean prompt on a site with `count` tokens: one for each id, or the picture's many among them.
 * Undefined where the site has other tokens (the decoder's, the vision tower's).
 */
export function placesOf(pair: SamplePair, tokens: readonly number[], count: number): Place[] | undefined {
  const { base, other } = pair;
  const spread = base.picture !== undefined && count === length(base);
  if (!spread && count !== base.ids.length) return undefined;
  return tokens.map((token): Place => {
    const aligned = pair.alignment[token]!;
    if (aligned === null) return { token, runs: null };
    const [to, from] = pair.direction === "denoising" ? [aligned, token] : [token, aligned];
    return { token, runs: spread ? { to: position(base, to), from: position(other, from) } : { to, from } };
  });
}

/** The patches of the picture, where a language model reads them among the words. */
export function patchPlaces({ base, other }: SamplePair): Place[] {
  const { picture } = base;
  if (!picture || !Number.isInteger(Math.sqrt(picture.tokens)))
    throw new UserError(`positions: "image" needs a model that reads a square of patches among the words (LLaVA)`);
  return Array.from({ length: picture.tokens }, (_, i) => ({
    token: picture.at,
    runs: { to: picture.at + i, from: other.picture!.at + i },
  }));
}

/** Where the token of an id lies once the picture has taken its place. */
export const position = ({ picture }: Input, token: number): number =>
  picture && token > picture.at ? token - 1 + picture.tokens : token;

/** How many tokens a language model reads. */
export const length = (input: Input): number => position(input, input.ids.length - 1) + 1;
