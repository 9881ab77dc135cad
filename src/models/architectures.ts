/** The kinds of model that are built, each behind the same face. */
import type { Gpu } from "../kernels/gpu.ts";
import { readBlipConfig } from "./blip/config.ts";
import { openBlipInputs } from "./blip/input.ts";
import { blipModel, dryForward as dryBlip } from "./blip/model.ts";
import { blipSites } from "./blip/vqa.ts";
import { UserError } from "./errors.ts";
import type { Folder } from "./files.ts";
import { answerEnds } from "./llava/answer-ends.ts";
import { newerNames, readLlavaConfig } from "./llava/config.ts";
import { openLlavaInputs } from "./llava/input.ts";
import { llavaSites } from "./llava/llava.ts";
import { dryForward as dryLlava, llavaModel } from "./llava/model.ts";
import type { LoadedWeights } from "./load-weights.ts";
import type { Model } from "./model.ts";
import type { Site } from "./sites.ts";
import type { Asked } from "./wanted.ts";
import type { Weights } from "./weights.ts";

export interface Architecture {
  readonly sites: readonly Site[];
  /** The longest prompt in ids. */
  readonly maxTokens: number;
  /** A forward without a device; with `stored` weights on a dry device. */
  dry(
    tokens: number,
    gpu?: Gpu,
    stored?: Weights,
  ): Asked & {
    readonly shapes: ReadonlyMap<string, readonly number[]>;
    readonly flop: number;
  };
  /** Other names under which a checkpoint may hold a weight. */
  otherNames(weight: string): string[];
  /** Reads what processes pictures and texts; then only the weights are missing. */
  prepare(
    folder: Folder,
  ): Promise<(gpu: Gpu, weights: LoadedWeights, identity: Pick<Model, "name" | "identify">) => Model>;
}

/** @throws UserError for a config.json of another kind, or one that says what is not built */
export function readArchitecture(json: unknown, name: string): Architecture {
  const { model_type, architectures } = (json ?? {}) as { model_type?: unknown; architectures?: unknown };
  const kind = `${String(model_type)} / ${String([architectures].flat()[0])}`;
  const read = kinds[kind];
  if (read) return read(json);
  throw new UserError(
    `${name}: is ${kind}, expected ${Object.keys(kinds).join(" or ")}, the only kinds that are built`,
  );
}

const kinds: Readonly<Record<string, (json: unknown) => Architecture>> = {
  "blip / BlipForQuestionAnswering": blip,
  "llava / LlavaForConditionalGeneration": llava,
};

function blip(json: unknown): Architecture {
  const config = readBlipConfig(json);
  const head = "text_decoder.cls.predictions";
  return {
    sites: blipSites(config),
    maxTokens: config.text.maxPositionEmbeddings,
    dry: (tokens, gpu, stored) => dryBlip(config, tokens, gpu, stored),
    otherNames: (weight) => (weight === `${head}.bias` ? [`${head}.decoder.bias`] : []),
    async prepare(folder) {
      const inputs = await openBlipInputs(folder, config);
      return (gpu, weights, identity) => blipModel(gpu, weights, config, inputs, identity);
    },
  };
}

function llava(json: unknown): Architecture {
  const config = readLlavaConfig(json);
  return {
    sites: llavaSites(config),
    maxTokens: config.text.maxPositionEmbeddings + 1 - config.imageTokens,
    dry: (tokens, gpu, stored) => dryLlava(config, tokens, 0, gpu, stored),
    otherNames: newerNames,
    async prepare(folder) {
      const inputs = await openLlavaInputs(folder, config);
      const ends = await answerEnds(folder, config);
      return (gpu, weights, identity) => llavaModel(gpu, weights, config, inputs, ends, identity);
    },
  };
}
