/** A model as patching, the commands and the library see it, whatever its architecture. */
import type { Gpu } from "../kernels/gpu.ts";
import type { Matrix } from "../kernels/matrix.ts";
import type { Tensor } from "../kernels/tensor.ts";
import type { Tap } from "./scope.ts";
import type { Axes, Site } from "./sites.ts";
import type { EncodedText } from "./tokenizer.ts";

/** A picture and a question, ready for the model. */
export interface Input {
  /** [3, side, side] */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** Names the picture by its content: runs that look at the same picture share what the vision tower made of it. */
  readonly imageKey: string;
  readonly ids: readonly number[];
  /** Where one of the ids stands for the picture: the language model reads that many vectors in its place. */
  readonly picture?: { readonly at: number; readonly tokens: number };
  /** The question's tokens and words; absent when the ids were given as they are. */
  readonly text?: EncodedText;
}

export interface ForwardOptions {
  /**
   * For a language model that reads the picture among the words: compute its positions from this one on. Keys and values
   * of the earlier ones are remembered from a run of the same prompt without a tap. The sites then hold these tokens
   * only, with the same bits as in the whole forward; the word table and the picture's sites stay whole.
   */
  readonly firstToken?: number;
}

/** What to make an input from. */
export type InputSource =
  | { readonly image: string; readonly text: string }
  | { readonly inputs: string }
  | { readonly pixels: Float32Array<ArrayBuffer>; readonly ids: readonly number[] };

export interface Activation {
  /** As Hugging Face shapes it, batch first. */
  readonly shape: readonly number[];
  readonly axes: Axes;
  readonly data: Float32Array<ArrayBuffer>;
}

export interface RunResult {
  /** [V]: the logits of the answer position. */
  readonly logits: Float32Array<ArrayBuffer>;
  readonly activations: ReadonlyMap<string, Activation>;
}

/** Does a language model read the picture among the words (LLaVA), or a text tower look at it from beside (BLIP)? */
export const readsPicture = ({ sites }: Pick<Model, "sites">): boolean =>
  sites.some(({ name }) => name.startsWith("language_model."));

export interface GenerateOptions {
  /** Of the answer, its start token included where it has one; default 20. */
  readonly maxTokens?: number;
  readonly signal?: AbortSignal;
  /** Site names or patterns that are captured at every step. */
  readonly capture?: readonly string[];
}

export interface Generated {
  readonly ids: number[];
  readonly text: string;
  /** For each token that was chosen what was captured then; of LLaVA's prompt only the last token is read again. */
  readonly steps?: readonly ReadonlyMap<string, Activation>[];
}

export interface Model {
  /** As it was asked for: `blip-mini`, a Hub name, or a folder. */
  readonly name: string;
  readonly gpu: Gpu;
  readonly sites: readonly Site[];
  readonly layers: number;
  readonly heads: number;
  readonly vocabSize: number;
  /** What its linear layers multiply by. */
  readonly matrices: readonly Matrix[];
  /** The id that fills up short prompts in the original (`--compat upstream`). */
  readonly padId: number;
  /** sha256 of config.json and of the weights. */
  identify(): Promise<{ config: string; weights: string }>;
  /** Reads, checks and processes a picture and a question. */
  input(source: InputSource): Promise<Input>;
  /**
   * Records a forward and returns the logits [rows, 1, V] of the answer position; the caller releases them.
   * Must be called within `gpu.frame`, or the result be released. Several inputs have prompts of equal length, and a row
   * each: each site has the bits of a forward of its own.
   */
  forward(input: Input | readonly Input[], tap: Tap, options?: ForwardOptions): Tensor;
  /** Sites that a tap may watch in a forward of several inputs; none where there is no such forward. */
  readonly jointSites: readonly string[];
  /** The layers' outputs that `readOut` reads, in order: what makes the answer goes through them. */
  readonly readSites: readonly string[];
  /** Sites of which a forward makes only the last token, unless a tap watches one of them: the answer reads no other. */
  readonly lastTokenSites: readonly string[];
  /**
   * Logits [B, L, V] of states [B, L, hidden] at the answer position, as if each were the last layer's output: through
   * the final norm and the head. Within `gpu.frame`, or the result be released.
   */
  readOut(states: Tensor): Tensor;
  /** One forward; `capture` are site names or patterns. */
  run(input: Input, options?: { capture?: readonly string[] }): Promise<RunResult>;
  /** The greedy answer: its text, and its ids, with the start token where the answer has one of its own. */
  generate(input: Input, options?: GenerateOptions): Promise<Generated>;
  /** Which of the question's tokens spell `word`, the first time; empty where none do. */
  findWord(input: Input, word: string): number[];
  /** Ids of a text's word pieces, without special tokens. */
  pieces(text: string): number[];
  tokenText(id: number): string;
  /** Sites with their stored shapes, batch first, for a question of this many tokens, from `firstToken` on. */
  shapes(tokens: number, firstToken?: number): ReadonlyMap<string, readonly number[]>;
  close(): void;
}
