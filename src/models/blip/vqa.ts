/**
 * BLIP answers a question about an image: vision tower, question encoder that looks at the image, answer decoder that
 * looks at the encoded question, prediction head. Hugging Face: BlipForQuestionAnswering.
 * B rows, T question tokens, U answer tokens, V vocabulary.
 */
import type { Tensor } from "../../kernels/tensor.ts";
import { gelu, layerNorm, linear } from "../layers.ts";
import type { Scope } from "../scope.ts";
import { placed, type Site, type SiteTable } from "../sites.ts";
import type { BlipConfig, TextConfig } from "./config.ts";
import { crossKeyValues, type TextSite, textSites, textTower } from "./text.ts";
import type { KeyValue } from "./text-layer.ts";
import { type VisionSite, visionSites, visionTower } from "./vision.ts";

const inputSites = {
  pixel_values: { axes: "channel row column", formula: "the processed picture" },
} as const satisfies SiteTable;

const headSites = {
  "transform.dense": { axes: "token hidden", formula: "W_transform x + b", norm: "before" },
  "transform.transform_act_fn": { axes: "token hidden", formula: "GELU(transform.dense)", norm: "before" },
  transform: {
    axes: "token hidden",
    formula: "LayerNorm(transform.transform_act_fn)",
    norm: "after",
    aliases: { "transform.LayerNorm": "token hidden" },
  },
  decoder: { axes: "token vocab", formula: "W_decoder transform + b: the logits", aliases: { "": "token vocab" } },
} as const satisfies SiteTable;

const head = "text_decoder.cls.predictions";

export type BlipSite =
  | keyof typeof inputSites
  | `vision_model.${VisionSite}`
  | `text_encoder.${TextSite}`
  | `text_decoder.bert.${TextSite}`
  | `text_decoder.cls.predictions.${keyof typeof headSites}`;

/** Every site of the model, in the order in which it is computed. */
export function blipSites({ vision, text }: BlipConfig): Site[] {
  const outer = ["text_decoder.cls", "text_decoder", "logits"].map((name) => ({ name, axes: "token vocab" as const }));
  return [
    ...placed("", inputSites).map((site) => ({ ...site, single: false })),
    ...visionSites("vision_model", vision).map((site) => ({ ...site, single: false })),
    ...textSites("text_encoder", text, true),
    ...textSites("text_decoder.bert", text, false),
    ...placed(head, headSites).map((site) =>
      site.name === `${head}.decoder` ? { ...site, aliases: [...site.aliases, ...outer] } : site,
    ),
  ];
}

/** pixels [B, 3, side, side] to the image's states [B, tokens, hidden]. */
export function lookAt(at: Scope<BlipSite>, config: BlipConfig, pixels: Tensor): Tensor {
  return visionTower(at.in("vision_model"), config.vision, at.site("pixel_values", pixels));
}

/** Keys and values of the image's states for each layer that looks at it. */
export const rememberImage = (at: Scope<BlipSite>, { text }: BlipConfig, image: Tensor): KeyValue[] =>
  crossKeyValues(at.in("text_encoder"), text, image);

export interface Words {
  /** [B, T] */
  readonly ids: Tensor;
  /** [1, T]: 0 … T-1 */
  readonly positions: Tensor;
}

/** What the question [B, T, hidden] means beside the image's states, or what was remembered of them. */
export const ask = (
  at: Scope<BlipSite>,
  { text }: BlipConfig,
  image: Tensor | readonly KeyValue[],
  { ids, positions }: Words,
): Tensor => textTower(at.in("text_encoder"), text, ids, positions, image, false);

/** The logits [B, U, V] of what follows each token of the answer, from its start token on, to the question's states. */
export function answer(at: Scope<BlipSite>, { text }: BlipConfig, question: Tensor, { ids, positions }: Words): Tensor {
  const reply = textTower(at.in("text_decoder.bert"), text, ids, positions, question, true); // [B, U, hidden]
  return predictions(at.in(head), text, reply);
}

/** The logits [B, N, V] of decoder states [B, N, hidden], whichever layer they come from. */
export const readOut = (at: Scope<BlipSite>, { text }: BlipConfig, states: Tensor): Tensor =>
  predictions(at.in(head), text, states);

/** Where each decoder layer's states lie, in order. */
export const readSites = ({ text }: BlipConfig): string[] =>
  Array.from({ length: text.numHiddenLayers }, (_, i) => `text_decoder.bert.encoder.layer.${i}.output`);

function predictions(
  at: Scope<keyof typeof headSites>,
  { hiddenSize, vocabSize, layerNormEps }: TextConfig,
  x: Tensor,
): Tensor {
  const dense = at.site("transform.dense", linear(at, "transform.dense", x, hiddenSize));
  const active = at.site("transform.transform_act_fn", gelu(at, dense));
  const transformed = at.site("transform", layerNorm(at, "transform.LayerNorm", active, layerNormEps));
  return at.site("decoder", linear(at, "decoder", transformed, vocabSize, "bias")); // [B, U, V]
}
