/**
 * LLaVA's vision tower: patches and a class vector, then pre-LayerNorm layers. Hugging Face: CLIPVisionModel.
 * B rows, T tokens (class and patches), H heads, D head width, P pixels of a patch's side.
 */
import { add } from "../../kernels/add.ts";
import { patches } from "../../kernels/patches.ts";
import { splice } from "../../kernels/splice.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { attend } from "../attend.ts";
import { heads, layerNorm, linear, linears, merged, quickGelu, tokens } from "../layers.ts";
import { results } from "../result.ts";
import type { Scope } from "../scope.ts";
import { alsoCalled, placed, type Site, type SiteTable } from "../sites.ts";
import type { VisionConfig } from "./config.ts";

const embeddingSites = {
  "embeddings.patch_embedding": { axes: "patch hidden", formula: "convolution of each patch" },
  "embeddings.position_embedding": { axes: "token hidden", formula: "the position table" },
  embeddings: { axes: "token hidden", formula: "[class; patches] + position" },
  pre_layrnorm: { axes: "token hidden", formula: "LayerNorm(embeddings)", norm: "after" },
} as const satisfies SiteTable;

const layerSites = {
  layer_norm1: { axes: "token hidden", formula: "LayerNorm(residual stream)", norm: "after" },
  "self_attn.q": {
    axes: "head token dim",
    formula: "W_q layer_norm1 + b, per head, unscaled",
    aliases: { "self_attn.q_proj": "token hidden" },
  },
  "self_attn.k": {
    axes: "head token dim",
    formula: "W_k layer_norm1 + b, per head",
    aliases: { "self_attn.k_proj": "token hidden" },
  },
  "self_attn.v": {
    axes: "head token dim",
    formula: "W_v layer_norm1 + b, per head",
    aliases: { "self_attn.v_proj": "token hidden" },
  },
  "self_attn.scores": { axes: "head token source", formula: "q·k / √D" },
  "self_attn.probs": { axes: "head token source", formula: "softmax(scores)" },
  "self_attn.z": { axes: "token head dim", formula: "probs · v, per head" },
  "self_attn.result": { axes: "head token hidden", formula: "W_out,h z_h: what each head adds", residual: "before" },
  self_attn: {
    axes: "token hidden",
    formula: "W_out z + b",
    residual: "before",
    aliases: { "self_attn.out_proj": "token hidden" },
  },
  resid_mid: { axes: "token hidden", formula: "residual stream + self_attn", residual: "after", norm: "before" },
  layer_norm2: { axes: "token hidden", formula: "LayerNorm(resid_mid)", norm: "after" },
  "mlp.fc1": { axes: "token mlp", formula: "W_fc1 layer_norm2 + b" },
  "mlp.activation_fn": { axes: "token mlp", formula: "x sigmoid(1.702 x) of mlp.fc1" },
  mlp: {
    axes: "token hidden",
    formula: "W_fc2 mlp.activation_fn + b",
    residual: "before",
    aliases: { "mlp.fc2": "token hidden" },
  },
} as const satisfies SiteTable;

const layerOutput = {
  "": { axes: "token hidden", formula: "resid_mid + mlp", residual: "after", norm: "before" },
} as const;

const lastSites = {
  post_layernorm: {
    axes: "hidden",
    formula: "LayerNorm(class token of the last layer); nobody reads it",
    norm: "after",
  },
} as const satisfies SiteTable;

type LayerSite = keyof typeof layerSites;
export type VisionSite =
  | keyof typeof embeddingSites
  | `encoder.layers.${number}`
  | `encoder.layers.${number}.${LayerSite}`
  | keyof typeof lastSites;

/** Every site of the tower at `path`, in the order in which it is computed; `state` is called vision_feature, too. */
export function visionSites(path: string, { numHiddenLayers }: VisionConfig, state: number): Site[] {
  const layers = Array.from({ length: numHiddenLayers }, (_, i) =>
    placed(`${path}.encoder.layers.${i}`, { ...layerSites, ...layerOutput }),
  ).flat();
  const sites = [...placed(path, embeddingSites), ...layers, ...placed(path, lastSites)];
  const stateSite = state === 0 ? `${path}.pre_layrnorm` : `${path}.encoder.layers.${state - 1}`;
  const last = `${path}.encoder.layers.${numHiddenLayers - 1}`;
  const named = alsoCalled(sites, last, `${path}.encoder`, path, path.slice(0, path.indexOf(".")));
  return alsoCalled(named, stateSite, "vision_feature");
}

/**
 * pixels [B, 3, side, side] to the hidden state [B, T, hidden] of that number: 0 is what enters the layers.
 * What comes after it is computed only where somebody looks.
 */
export function visionTower(at: Scope<VisionSite>, config: VisionConfig, pixels: Tensor, state: number): Tensor {
  const { gpu } = at;
  let x = gpu.frame(() => embeddings(at, config, pixels));
  let asked = x;
  for (let i = 0; i < config.numHiddenLayers; i++) {
    if (i >= state && !watchedFrom(at, config, i)) return asked;
    x = gpu.frame(() => at.site(`encoder.layers.${i}`, layer(at.in(`encoder.layers.${i}`), config, x)));
    if (i === state - 1) asked = x;
  }
  if (at.watched("post_layernorm")) pooled(at, config, x);
  return asked;
}

function watchedFrom(at: Scope<VisionSite>, { numHiddenLayers }: VisionConfig, layer: number): boolean {
  const names = ["", ...Object.keys(layerSites).map((name) => `.${name}` as `.${LayerSite}`)] as const;
  const left = Array.from({ length: numHiddenLayers - layer }, (_, i) => `encoder.layers.${layer + i}` as const);
  return at.watched("post_layernorm") || left.some((path) => names.some((name) => at.watched(`${path}${name}`)));
}

function pooled(at: Scope<VisionSite>, { hiddenSize, layerNormEps }: VisionConfig, x: Tensor): Tensor {
  const first = tokens(at, x, 0, 1); // [B, 1, hidden]
  const normal = layerNorm(at, "post_layernorm", { ...first, shape: [first.shape[0]!, hiddenSize] }, layerNormEps);
  return at.site("post_layernorm", normal); // [B, hidden]
}

function embeddings(at: Scope<VisionSite>, config: VisionConfig, pixels: Tensor): Tensor {
  const { hiddenSize, imageSize, patchSize, layerNormEps } = config;
  const cut = patches(at.gpu, "patches", pixels, patchSize); // [B, T-1, 3·P·P]
  const patch = linear(at, "embeddings.patch_embedding", cut, hiddenSize, null); // [B, T-1, hidden]
  const seen = at.site("embeddings.patch_embedding", patch);
  const count = (imageSize / patchSize) ** 2 + 1;
  const table = at.weights.vector(`${at.path}.embeddings.position_embedding.weight`, [count, hiddenSize]);
  const position = at.site("embeddings.position_embedding", { ...table, shape: [1, count, hiddenSize] });
  const vector = at.weights.vector(`${at.path}.embeddings.class_embedding`, [hiddenSize]);
  const all = splice(at.gpu, "class and patches", { ...vector, shape: [1, 1, hiddenSize] }, 1, 0, seen); // [B, T, hidden]
  const x = at.site("embeddings", add(at.gpu, "embeddings", all, position));
  return at.site("pre_layrnorm", layerNorm(at, "pre_layrnorm", x, layerNormEps));
}

/** Attend, then the MLP; both read a normalised copy of the residual stream and add to it. */
function layer(at: Scope<LayerSite>, config: VisionConfig, x: Tensor): Tensor {
  const { hiddenSize, intermediateSize, layerNormEps } = config;
  const normal = at.site("layer_norm1", layerNorm(at, "layer_norm1", x, layerNormEps)); // [B, T, hidden]
  const middle = at.site("resid_mid", add(at.gpu, "resid_mid", attention(at, config, normal), x));
  const again = at.site("layer_norm2", layerNorm(at, "layer_norm2", middle, layerNormEps));
  const wide = at.site("mlp.fc1", linear(at, "mlp.fc1", again, intermediateSize)); // [B, T, mlp]
  const active = at.site("mlp.activation_fn", quickGelu(at, wide));
  const mlp = at.site("mlp", linear(at, "mlp.fc2", active, hiddenSize)); // [B, T, hidden]
  return add(at.gpu, at.path, mlp, middle);
}

function attention(at: Scope<LayerSite>, config: VisionConfig, x: Tensor): Tensor {
  const { hiddenSize, numAttentionHeads } = config;
  const names = ["q", "k", "v"].map((name) => `self_attn.${name}_proj`);
  const made = linears(at, names, x, hiddenSize).map((part) => heads(part, numAttentionHeads));
  const [rawQ, rawK, rawV] = made as [Tensor, Tensor, Tensor];
  const q = at.site("self_attn.q", rawQ); // [B, T, H, D]
  const k = at.site("self_attn.k", rawK);
  const v = at.site("self_attn.v", rawV);
  const z = at.site("self_attn.z", attend(at, "self_attn", q, k, v, false)); // [B, T, H, D]
  const out = linear(at, "self_attn.out_proj", merged(z), hiddenSize); // [B, T, hidden]
  return at.site("self_attn", results(at, "self_attn.result", "self_attn.out_proj", z, out));
}
