import type { Model } from "../../src/models/model.ts";
import type { Kind } from "../../src/patching/kinds.ts";
import type { SamplePair } from "../../src/patching/pair.ts";
import { layOut, type SampleOptions, type SampleResult, sweepSamples } from "../../src/patching/sample.ts";

/** A sample in a batch of its own. */
export async function sweepSample(
  model: Model,
  pair: SamplePair,
  kinds: readonly Kind[],
  options: SampleOptions,
): Promise<SampleResult> {
  const [result] = await sweepSamples(model, [layOut(model, pair, kinds, options)]);
  return result!;
}
