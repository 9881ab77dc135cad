/** The greedy answer: the likeliest token again and again, and what passed the model while each was chosen. */
import type { Gpu } from "../kernels/gpu.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { captureTap } from "./capture.ts";
import { UserError } from "./errors.ts";
import type { Activation, Generated, GenerateOptions } from "./model.ts";
import { type Tap, untapped } from "./scope.ts";
import { matchSites, type Site } from "./sites.ts";

export interface Speaker {
  readonly gpu: Gpu;
  readonly sites: readonly Site[];
  readonly vocabSize: number;
  /** What the answer begins with; counted in its length. */
  readonly start: readonly number[];
  /** The tokens that end an answer. */
  readonly ends: readonly number[];
  /** Logits of what follows these ids of the answer; the caller releases them. */
  next(ids: readonly number[], tap: Tap): Tensor;
  decode(ids: readonly number[]): string;
}

/** Hugging Face's default for `generate`. */
const MAX_TOKENS = 20;

export async function greedy(speaker: Speaker, options: GenerateOptions = {}): Promise<Generated> {
  const { gpu, sites, vocabSize, start, ends } = speaker;
  const { maxTokens = MAX_TOKENS, signal, capture = [] } = options;
  const names = matchSites(sites, capture);
  const ids = [...start];
  const steps: ReadonlyMap<string, Activation>[] = [];
  while (ids.length < maxTokens && !(ids.length > start.length && ends.includes(ids.at(-1)!))) {
    signal?.throwIfAborted();
    const tap = captureTap(gpu, sites, names);
    try {
      const logits = speaker.next(ids, names.length > 0 ? tap : untapped);
      const values = await gpu.read(logits).finally(() => gpu.release(logits));
      ids.push(largest(values.subarray(values.length - vocabSize)));
      if (names.length > 0) steps.push(await tap.read());
    } finally {
      tap.release();
    }
  }
  return { ids, text: speaker.decode(ids), ...(names.length > 0 && { steps }) };
}

function largest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  if (Number.isFinite(values[best])) return best;
  throw new UserError(
    `generate: the logits are ${values[best]}; look for the first broken site with a sweep or a capture`,
  );
}
