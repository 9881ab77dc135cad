/**
 * LLaVA's language model: LLaMA over words and picture alike. Hugging Face: LlamaForCausalLM.
 * B rows, T tokens (from the first that is computed), D head width, V vocabulary.
 */
import type { KeyValuePast } from "../../kernels/attention.ts";
import type { Angles } from "../../kernels/rotary.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { lastToken, linear, rmsNorm } from "../layers.ts";
import type { Scope } from "../scope.ts";
import { alsoCalled, placed, type Site, type SiteTable } from "../sites.ts";
import type { TextConfig } from "./config.ts";
import { answeringSites, type LlamaLayerSite, llamaLayer, llamaLayerOutput, llamaLayerSites } from "./llama-layer.ts";

const rotarySites = {
  "model.rotary.cos": { axes: "token dim", formula: "cosine of position · 10000^(-2i/D), i twice from 0 to D/2 - 1" },
  "model.rotary.sin": { axes: "token dim", formula: "sine of the same" },
} as const satisfies SiteTable;

const lastSites = {
  "model.norm": {
    axes: "token hidden",
    formula: "RMSNorm(last layer)",
    norm: "after",
    aliases: { model: "token hidden" },
  },
  lm_head: { axes: "token vocab", formula: "W_head model.norm: the logits", aliases: { "": "token vocab" } },
} as const satisfies SiteTable;

export type LlamaSite =
  | keyof typeof rotarySites
  | `model.layers.${number}`
  | `model.layers.${number}.${LlamaLayerSite}`
  | keyof typeof lastSites;

/** Every site behind the embeddings, in the order in which it is computed. */
export function llamaSites(path: string, { numHiddenLayers }: TextConfig): Site[] {
  const layers = Array.from({ length: numHiddenLayers }, (_, i) =>
    placed(`${path}.model.layers.${i}`, { ...llamaLayerSites, ...llamaLayerOutput }),
  ).flat();
  const sites = [...placed(path, rotarySites), ...layers, ...placed(path, lastSites)];
  return alsoCalled(sites, `${path}.lm_head`, "logits");
}

/** What lies behind the last keys and values: the answer reads only the last token of it. */
export function lastTokenSites({ numHiddenLayers }: TextConfig): LlamaSite[] {
  const layer = `model.layers.${numHiddenLayers - 1}` as const;
  const after: LlamaSite[] = [layer, "model.norm", "lm_head"];
  return [...answeringSites.map((name) => `${layer}.${name}` as const), ...after];
}

/** Keys and values by layer. */
export type LlamaPast = (layer: number) => KeyValuePast;

/** A frame of so many layers gives back what lies between them: a deep model holds few layers' outputs at a time. */
const LAYERS_IN_FRAME = 6;

/**
 * x [B, T, hidden] through all layers, each token seeing the past, the tokens before it and itself. The last layer makes
 * all tokens only where somebody looks, else the last one: [B, T or 1, hidden].
 */
export function llama(at: Scope<LlamaSite>, config: TextConfig, x: Tensor, turns: Angles, past?: LlamaPast): Tensor {
  const { gpu } = at;
  const angles = { cos: at.site("model.rotary.cos", turns.cos), sin: at.site("model.rotary.sin", turns.sin) };
  const looked = lastTokenSites(config).some((name) => at.watched(name));
  const lastOnly = (i: number) => !looked && i === config.numHiddenLayers - 1;
  const through = (states: Tensor, i: number) =>
    at.site(
      `model.layers.${i}`,
      llamaLayer(at.in(`model.layers.${i}`), config, at.layout.whole(states), angles, past?.(i), lastOnly(i)),
    );
  const layers = Array.from({ length: config.numHiddenLayers }, (_, i) => i);
  let states = x;
  for (let i = 0; i < layers.length; i += LAYERS_IN_FRAME) {
    const some = layers.slice(i, i + LAYERS_IN_FRAME);
    states = gpu.frame(() => some.reduce((before, layer) => gpu.frame(() => through(before, layer)), states));
  }
  return states;
}

/** The logits [B, 1, V] of what follows the last token. Those of the other tokens are made only where somebody looks. */
export function nextToken(at: Scope<LlamaSite>, config: TextConfig, x: Tensor): Tensor {
  const { vocabSize, rmsNormEps } = config;
  const all = at.watched("lm_head");
  const read = all || at.watched("model.norm") ? at.layout.whole(x) : lastToken(at, at.layout.ending(x));
  const normal = at.site("model.norm", rmsNorm(at, "model.norm", read, rmsNormEps)); // [B, T or 1, hidden]
  if (all) return lastToken(at, at.site("lm_head", linear(at, "lm_head", normal, vocabSize, null)));
  return linear(at, "lm_head", lastToken(at, normal), vocabSize, null);
}

/** The logits [B, N, V] of states [B, N, hidden], whichever layer they come from. */
export function readOut(at: Scope<LlamaSite>, { vocabSize, rmsNormEps }: TextConfig, states: Tensor): Tensor {
  return linear(at, "lm_head", rmsNorm(at, "model.norm", states, rmsNormEps), vocabSize, null);
}
