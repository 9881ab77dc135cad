/**
 * LLaVA-1.5 answers a prompt about an image: vision tower, projector, and a language model that reads the projected
 * picture among the words. Hugging Face: LlavaForConditionalGeneration.
 * B rows, W words (ids), N image tokens, S = W - 1 + N positions, T of them from the first that is computed, D head width,
 * V vocabulary.
 */
import type { Gpu } from "../../kernels/gpu.ts";
import { type Angles, rotaryTables } from "../../kernels/rotary.ts";
import { splice } from "../../kernels/splice.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { embed, tokens } from "../layers.ts";
import type { Scope } from "../scope.ts";
import { placed, type Site, type SiteTable } from "../sites.ts";
import type { LlavaConfig } from "./config.ts";
import { type LlamaPast, type LlamaSite, llama, llamaSites, nextToken } from "./llama.ts";
import { type ProjectorSite, projector, sitesOfProjector } from "./projector.ts";
import { type VisionSite, visionSites, visionTower } from "./vision.ts";

const inputSites = {
  pixel_values: { axes: "channel row column", formula: "the processed picture" },
} as const satisfies SiteTable;

const wordSites = {
  "model.embed_tokens": { axes: "token hidden", formula: "row of the word table; one token for the picture" },
  "model.inputs_embeds": {
    axes: "token hidden",
    formula: "embed_tokens with multi_modal_projector in the picture's place",
  },
} as const satisfies SiteTable;

export type LlavaSite =
  | keyof typeof inputSites
  | `vision_tower.vision_model.${VisionSite}`
  | `multi_modal_projector.${ProjectorSite}`
  | `language_model.${keyof typeof wordSites | LlamaSite}`;

/** Every site of the model, in the order in which it is computed. */
export function llavaSites({ vision, text, featureState }: LlavaConfig): Site[] {
  return [
    ...placed("", inputSites),
    ...visionSites("vision_tower.vision_model", vision, featureState),
    ...sitesOfProjector("multi_modal_projector"),
    ...placed("language_model", wordSites).map((site) =>
      site.name.endsWith("inputs_embeds") ? { ...site, aliases: [{ name: "inputs_embeds", axes: site.axes }] } : site,
    ),
    ...llamaSites("language_model", text),
  ];
}

/** pixels [1, 3, side, side] to the picture's vectors [B, N, hidden] among the words. */
export function lookAt(at: Scope<LlavaSite>, config: LlavaConfig, pixels: Tensor): Tensor {
  const { vision, text, featureState, withClass, imageTokens } = config;
  const tower = at.in("vision_tower.vision_model");
  const states = visionTower(tower, vision, at.site("pixel_values", pixels), featureState);
  const read = withClass ? states : tokens(at, states, 1, imageTokens);
  return projector(at.in("multi_modal_projector"), read, text.hiddenSize);
}

export interface Prompt {
  /** [1, W] */
  readonly ids: Tensor;
  /** Which of the ids stands for the picture. */
  readonly imageAt: number;
  /** The first position that is computed; the past holds those before it. */
  readonly first: number;
  /** Of the positions from the first on. */
  readonly angles: Angles;
}

/** What the last layer makes of the prompt, [B, T, hidden], given the picture's vectors. */
export function read(
  at: Scope<LlavaSite>,
  config: LlavaConfig,
  image: Tensor,
  prompt: Prompt,
  past?: LlamaPast,
): Tensor {
  const language = at.in("language_model");
  const x = at.gpu.frame(() => words(language, config, image, prompt));
  return llama(language, config.text, x, prompt.angles, past);
}

/** The logits [B, 1, V] of what follows the prompt. */
export function answer(
  at: Scope<LlavaSite>,
  config: LlavaConfig,
  image: Tensor,
  prompt: Prompt,
  past?: LlamaPast,
): Tensor {
  return nextToken(at.in("language_model"), config.text, read(at, config, image, prompt, past));
}

function words(
  at: Scope<keyof typeof wordSites>,
  { text }: LlavaConfig,
  image: Tensor,
  { ids, imageAt, first }: Prompt,
): Tensor {
  const table = embed(at, "model.embed_tokens", ids, text.vocabSize, text.hiddenSize); // [1, W, hidden]
  const embedded = at.site("model.embed_tokens", table);
  const all = splice(at.gpu, "inputs_embeds", embedded, imageAt, 1, image); // [B, S, hidden]
  const asked = first === 0 ? all : tokens(at, all, first, all.shape[1]! - first); // [B, T, hidden]
  return at.site("model.inputs_embeds", asked);
}

/** The ids on the device, with the angles of the positions from `first` on. */
export function promptTensors(
  gpu: Gpu,
  config: LlavaConfig,
  ids: readonly number[],
  imageAt: number,
  first: number,
): Prompt {
  const { hiddenSize, numAttentionHeads, ropeTheta } = config.text;
  const count = positions(config, ids.length) - first;
  const dim = hiddenSize / numAttentionHeads;
  const { cos, sin } = rotaryTables(first, count, dim, ropeTheta);
  const table = (label: string, values: Float32Array) => gpu.upload(label, [1, count, dim], values);
  return {
    ids: gpu.upload("input_ids", [1, ids.length], Uint32Array.from(ids)),
    imageAt,
    first,
    angles: { cos: table("cos", cos), sin: table("sin", sin) },
  };
}

/** How many positions that many ids take, one of which is the picture's. */
export const positions = ({ imageTokens }: LlavaConfig, words: number): number => words - 1 + imageTokens;
