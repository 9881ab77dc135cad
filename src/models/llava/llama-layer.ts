/**
 * One LLaMA layer: attend to all earlier tokens, then the gated MLP; both read a normalised copy of the residual stream
 * and add to it. Hugging Face: LlamaDecoderLayer. B rows, T tokens, S sources, H heads, D head width.
 */
import { add } from "../../kernels/add.ts";
import type { KeyValuePast } from "../../kernels/attention.ts";
import { gated, gatedSilu, silu } from "../../kernels/gated-silu.ts";
import { type Angles, rotary } from "../../kernels/rotary.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { attend } from "../attend.ts";
import { heads, lastToken, linear, linears, merged, rmsNorm } from "../layers.ts";
import { results } from "../result.ts";
import { alike, type Scope } from "../scope.ts";
import type { SiteTable } from "../sites.ts";
import type { TextConfig } from "./config.ts";

/** Every site of the layer, in the order in which it is computed. */
export const llamaLayerSites = {
  input_layernorm: { axes: "token hidden", formula: "RMSNorm(residual stream)", norm: "after" },
  "self_attn.q_proj": { axes: "token head dim", formula: "W_q input_layernorm, before the rotation" },
  "self_attn.k_proj": { axes: "token head dim", formula: "W_k input_layernorm, before the rotation" },
  "self_attn.q": {
    axes: "head token dim",
    formula: "q_proj turned by its position, unscaled",
    aliases: { "self_attn.q_rope": "head token dim" },
  },
  "self_attn.k": {
    axes: "head token dim",
    formula: "k_proj turned by its position",
    aliases: { "self_attn.k_rope": "head token dim" },
  },
  "self_attn.v": {
    axes: "head token dim",
    formula: "W_v input_layernorm, per head",
    aliases: { "self_attn.v_proj": "token head dim" },
  },
  "self_attn.scores": { axes: "head token source", formula: "q·k / √D; -inf where the source comes later" },
  "self_attn.probs": { axes: "head token source", formula: "softmax(scores)" },
  "self_attn.z": { axes: "token head dim", formula: "probs · v, per head", single: true },
  "self_attn.result": {
    axes: "head token hidden",
    formula: "W_o,h z_h: what each head adds",
    residual: "before",
    single: false,
  },
  self_attn: {
    axes: "token hidden",
    formula: "W_o z",
    residual: "before",
    single: true,
    aliases: { "self_attn.o_proj": "token hidden" },
  },
  resid_mid: {
    axes: "token hidden",
    formula: "residual stream + self_attn",
    residual: "after",
    norm: "before",
    single: true,
  },
  post_attention_layernorm: { axes: "token hidden", formula: "RMSNorm(resid_mid)", norm: "after", single: true },
  "mlp.gate_proj": { axes: "token mlp", formula: "W_gate post_attention_layernorm", single: true },
  "mlp.act_fn": { axes: "token mlp", formula: "silu(mlp.gate_proj)", single: true },
  "mlp.up_proj": { axes: "token mlp", formula: "W_up post_attention_layernorm", single: true },
  "mlp.hidden": { axes: "token mlp", formula: "mlp.act_fn · mlp.up_proj", single: true },
  mlp: {
    axes: "token hidden",
    formula: "W_down mlp.hidden",
    residual: "before",
    single: true,
    aliases: { "mlp.down_proj": "token hidden" },
  },
} as const satisfies SiteTable;

/** The layer itself. */
export const llamaLayerOutput = {
  "": { axes: "token hidden", formula: "resid_mid + mlp", residual: "after", norm: "before", single: true },
} as const;

export type LlamaLayerSite = keyof typeof llamaLayerSites;

/** What other tokens read of a token in this layer: its key and value. */
const read: readonly LlamaLayerSite[] = ["input_layernorm", "self_attn.k_proj", "self_attn.k", "self_attn.v"];

/** What a token makes for itself alone and for the layers above. */
export const answeringSites = (Object.keys(llamaLayerSites) as LlamaLayerSite[]).filter((name) => !read.includes(name));

/**
 * x [B, T, hidden] at the positions of `angles`, after the past, to [B, T, hidden], or with `lastOnly` the last token's
 * [B, 1, hidden]: the others then only lend it their keys and values.
 */
export function llamaLayer(
  at: Scope<LlamaLayerSite>,
  config: TextConfig,
  x: Tensor,
  angles: Angles,
  past?: KeyValuePast,
  lastOnly = false,
): Tensor {
  const { hiddenSize, rmsNormEps } = config;
  const asking: Asking = (states) => (lastOnly ? lastToken(at, states) : states);
  const normal = at.site("input_layernorm", rmsNorm(at, "input_layernorm", x, rmsNormEps)); // [B, T, hidden]
  const attended = attention(at, config, normal, angles, asking, past);
  const middle = at.site("resid_mid", add(at.gpu, "resid_mid", attended, at.layout.beside(asking(x), attended)));
  const again = rmsNorm(at, "post_attention_layernorm", middle, rmsNormEps);
  const hidden = gate(at, config, at.site("post_attention_layernorm", again)); // [B, T, mlp]
  const mlp = at.site("mlp", linear(at, "mlp.down_proj", hidden, hiddenSize, null)); // [B, T, hidden]
  return add(at.gpu, at.path, mlp, at.layout.beside(middle, mlp));
}

/** Of [B, T, ...] the tokens that ask: all, or the last. */
type Asking = (states: Tensor) => Tensor;

/** N tokens ask. */
function attention(
  at: Scope<LlamaLayerSite>,
  config: TextConfig,
  x: Tensor,
  angles: Angles,
  asking: Asking,
  past?: KeyValuePast,
): Tensor {
  const { hiddenSize } = config;
  const [madeQ, madeK, madeV] = queryKeyValue(at, config, x, asking(x));
  const turns = { cos: asking(angles.cos), sin: asking(angles.sin) };
  const rawQ = at.site("self_attn.q_proj", madeQ); // [B, N, H, D]
  const rawK = at.site("self_attn.k_proj", madeK); // [B, T, key heads, D]
  const q = at.site("self_attn.q", rotary(at.gpu, "q", rawQ, turns));
  const k = at.site("self_attn.k", rotary(at.gpu, "k", rawK, angles));
  const v = at.site("self_attn.v", madeV);
  const z = at.site("self_attn.z", attend(at, "self_attn", q, k, v, true, past)); // [B, N, H, D]
  const out = linear(at, "self_attn.o_proj", merged(z), hiddenSize, null); // [B, N, hidden]
  return at.site("self_attn", results(at, "self_attn.result", "self_attn.o_proj", z, out));
}

/** q [B, N, H, D] of those that ask, k and v [B, T, key heads, D] of all: one product where these are the same and as wide. */
function queryKeyValue(at: Scope<LlamaLayerSite>, config: TextConfig, x: Tensor, asked: Tensor) {
  const { hiddenSize, numAttentionHeads, numKeyValueHeads } = config;
  const dim = hiddenSize / numAttentionHeads;
  const parts = (names: readonly string[], states: Tensor, count: number) => {
    const paths = names.map((name) => `self_attn.${name}_proj`);
    return linears(at, paths, states, count * dim, false).map((part) => heads(part, count));
  };
  const made =
    asked === x && numAttentionHeads === numKeyValueHeads
      ? parts(["q", "k", "v"], x, numAttentionHeads)
      : [...parts(["q"], asked, numAttentionHeads), ...parts(["k", "v"], x, numKeyValueHeads)];
  return made as [Tensor, Tensor, Tensor];
}

/** x [B, T, hidden] to [B, T, mlp]. The activation alone is a tensor only where somebody looks. */
function gate(at: Scope<LlamaLayerSite>, { intermediateSize }: TextConfig, x: Tensor): Tensor {
  const { gpu, layout } = at;
  const made = linears(at, ["mlp.gate_proj", "mlp.up_proj"], x, intermediateSize, false) as [Tensor, Tensor];
  const open = at.site("mlp.gate_proj", made[0]);
  const looked = at.watched("mlp.act_fn");
  const active = looked ? at.site("mlp.act_fn", silu(gpu, "mlp.act_fn", open)) : open;
  const up = at.site("mlp.up_proj", made[1]);
  const both = alike(layout, active, up);
  return at.site("mlp.hidden", looked ? gated(gpu, "mlp.hidden", ...both) : gatedSilu(gpu, "mlp.hidden", ...both));
}
