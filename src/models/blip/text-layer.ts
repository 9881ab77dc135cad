/**
 * One BLIP text layer: attend to the words, then to the image (in the decoder: to the question), then the MLP.
 * Post-LayerNorm, like BERT. Hugging Face: BlipTextLayer. B rows, T tokens, S sources, H heads, D head width.
 */
import { rows, size, type Tensor } from "../../kernels/tensor.ts";
import { attend } from "../attend.ts";
import { gelu, heads, layerNorm, linear, linears, merged } from "../layers.ts";
import { results } from "../result.ts";
import type { Scope } from "../scope.ts";
import type { SiteTable } from "../sites.ts";
import type { TextConfig } from "./config.ts";

const attentionSites = {
  "self.q": {
    axes: "head token dim",
    formula: "W_query x + b, per head, unscaled",
    aliases: { "self.query": "token hidden" },
  },
  "self.k": { axes: "head token dim", formula: "W_key memory + b, per head", aliases: { "self.key": "token hidden" } },
  "self.v": {
    axes: "head token dim",
    formula: "W_value memory + b, per head",
    aliases: { "self.value": "token hidden" },
  },
  "self.scores": { axes: "head token source", formula: "q·k / √D; -inf where the decoder may not look" },
  "self.probs": { axes: "head token source", formula: "softmax(scores)" },
  self: {
    axes: "token head dim",
    formula: "probs · v, per head",
    single: true,
    aliases: { "self.z": "token head dim" },
  },
  "self.result": {
    axes: "head token hidden",
    formula: "W_dense,h z_h: what each head adds",
    residual: "before",
    single: false,
  },
  "output.dense": { axes: "token hidden", formula: "W_dense z + b", residual: "before", norm: "before", single: true },
  output: {
    axes: "token hidden",
    formula: "LayerNorm(output.dense + x)",
    residual: "after",
    norm: "after",
    single: true,
    aliases: { "output.LayerNorm": "token hidden", "": "token hidden" },
  },
} as const satisfies SiteTable;

/** Cross-attention treats each token alone; what belongs to its memory, or lies head by head, needs whole rows. */
const crossSites = {
  ...attentionSites,
  "self.q": { ...attentionSites["self.q"], single: true },
  "self.k": { ...attentionSites["self.k"], single: false },
  "self.v": { ...attentionSites["self.v"], single: false },
  "self.scores": { ...attentionSites["self.scores"], single: false },
  "self.probs": { ...attentionSites["self.probs"], single: false },
} as const satisfies SiteTable;

const mlpSites = {
  "intermediate.dense": { axes: "token mlp", formula: "W_intermediate x + b", single: true },
  intermediate: {
    axes: "token mlp",
    formula: "GELU(intermediate.dense)",
    single: true,
    aliases: { "intermediate.intermediate_act_fn": "token mlp" },
  },
  "output.dense": {
    axes: "token hidden",
    formula: "W_output intermediate + b: the MLP alone",
    residual: "before",
    norm: "before",
    single: true,
  },
  output: {
    axes: "token hidden",
    formula: "LayerNorm(output.dense + crossattention.output): the layer's output",
    residual: "after",
    norm: "after",
    single: true,
    aliases: { "output.LayerNorm": "token hidden", "": "token hidden" },
  },
} as const satisfies SiteTable;

/** Every site of the layer, in the order in which it is computed, by the place that it belongs to. */
export const textLayerSites = { attention: attentionSites, crossattention: crossSites, "": mlpSites } as const;

type AttentionSite = keyof typeof attentionSites;
export type TextLayerSite = `attention.${AttentionSite}` | `crossattention.${AttentionSite}` | keyof typeof mlpSites;

/** Keys and values for a layer, [B, S, hidden] each. */
export type KeyValue = readonly [key: Tensor, value: Tensor];

/** What a layer attends to: states [B, S, hidden], or what an earlier run made of them. */
export type Memory = Tensor | KeyValue;

/** The linear layers of an attention that read its memory. */
export const keyValueNames = ["self.key", "self.value"] as const;

export function textLayer(
  at: Scope<TextLayerSite>,
  config: TextConfig,
  x: Tensor,
  memory: Memory,
  causal: boolean,
): Tensor {
  const read = attention(at.in("attention"), config, x, x, causal);
  const seen = attention(at.in("crossattention"), config, read, memory, false);
  const wide = at.site("intermediate.dense", linear(at, "intermediate.dense", seen, config.intermediateSize)); // [B, T, mlp]
  const active = at.site("intermediate", gelu(at, wide));
  const mlp = at.site("output.dense", linear(at, "output.dense", active, config.hiddenSize)); // [B, T, hidden]
  const residual = at.layout.beside(seen, mlp);
  return at.site("output", layerNorm(at, "output.LayerNorm", mlp, config.layerNormEps, residual));
}

/** `x` asks, the memory answers: self-attention when they are the same tensor, cross-attention when not. */
function attention(at: Scope<AttentionSite>, config: TextConfig, x: Tensor, memory: Memory, causal: boolean): Tensor {
  const { hiddenSize, numAttentionHeads, layerNormEps } = config;
  const make = (names: readonly string[], from: Tensor) => linears(at, names, from, hiddenSize);
  const made =
    memory === x
      ? make(["self.query", "self.key", "self.value"], x)
      : [...make(["self.query"], x), ...("shape" in memory ? make(keyValueNames, memory) : memory)];
  const [rawQ, rawK, rawV] = made.map((part) => heads(part, numAttentionHeads)) as [Tensor, Tensor, Tensor];
  const q = at.site("self.q", rawQ); // [B, T, H, D]
  const k = at.site("self.k", rawK); // [B, S, H, D]
  const v = at.site("self.v", rawV); // [B, S, H, D]
  const z = at.site("self", context(at, q, k, v, causal)); // [B, T, H, D]
  const dense = linear(at, "output.dense", merged(z), hiddenSize); // [B, T, hidden]
  const out = at.site("output.dense", results(at, "self.result", "output.dense", z, dense));
  return at.site("output", layerNorm(at, "output.LayerNorm", out, layerNormEps, at.layout.beside(x, out)));
}

/** What q [B, T, H, D] finds in k and v; where these are of the base runs alone, all rows of an input ask as one. */
function context(at: Scope<AttentionSite>, q: Tensor, k: Tensor, v: Tensor, causal: boolean): Tensor {
  const memories = rows(k);
  const ofBase = memories === rows(v) && [1, at.layout.inputs].includes(memories) && memories <= rows(q);
  if (ofBase && !causal && !at.watched("self.scores") && !at.watched("self.probs")) {
    const inner = q.shape.slice(2);
    const asked = { ...q, shape: [memories, size(q.shape) / memories / size(inner), ...inner] };
    return { ...attend(at, "self", asked, k, v, causal), shape: q.shape };
  }
  const most = [q, k, v].reduce((a, b) => (rows(b) > rows(a) ? b : a));
  const [asking, keys, values] = [q, k, v].map((x) => at.layout.beside(x, most)) as [Tensor, Tensor, Tensor];
  return attend(at, "self", asking, keys, values, causal);
}
