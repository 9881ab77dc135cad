/**
 * BLIP's vision tower: patches and a class vector, then pre-LayerNorm layers. Hugging Face: BlipVisionModel.
 * B rows, T tokens (class and patches), H heads, D head width, P pixels of a patch's side.
 */
import { add } from "../../kernels/add.ts";
import { patches } from "../../kernels/patches.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { visionEmbeddings } from "../../kernels/vision-embeddings.ts";
import { attend } from "../attend.ts";
import { columns, gelu, heads, layerNorm, linear, linearParts, merged } from "../layers.ts";
import { results } from "../result.ts";
import type { Scope } from "../scope.ts";
import { alsoCalled, placed, type Site, type SiteTable } from "../sites.ts";
import type { VisionConfig } from "./config.ts";

const embeddingSites = {
  "embeddings.patch_embedding": { axes: "patch hidden", formula: "convolution of each patch" },
  embeddings: { axes: "token hidden", formula: "[class; patches] + position" },
} as const satisfies SiteTable;

const layerSites = {
  layer_norm1: { axes: "token hidden", formula: "LayerNorm(residual stream)", norm: "after" },
  "self_attn.qkv": { axes: "token qkv", formula: "W_qkv layer_norm1 + b: q, k, v of all heads side by side" },
  "self_attn.q": { axes: "head token dim", formula: "the q of qkv, per head, unscaled" },
  "self_attn.k": { axes: "head token dim", formula: "the k of qkv, per head" },
  "self_attn.v": { axes: "head token dim", formula: "the v of qkv, per head" },
  "self_attn.scores": { axes: "head token source", formula: "q·k / √D" },
  "self_attn.probs": { axes: "head token source", formula: "softmax(scores)" },
  "self_attn.z": { axes: "token head dim", formula: "probs · v, per head" },
  "self_attn.result": {
    axes: "head token hidden",
    formula: "W_projection,h z_h: what each head adds",
    residual: "before",
  },
  self_attn: {
    axes: "token hidden",
    formula: "W_projection z + b",
    residual: "before",
    aliases: { "self_attn.projection": "token hidden" },
  },
  resid_mid: { axes: "token hidden", formula: "residual stream + self_attn", residual: "after", norm: "before" },
  layer_norm2: { axes: "token hidden", formula: "LayerNorm(resid_mid)", norm: "after" },
  "mlp.fc1": { axes: "token mlp", formula: "W_fc1 layer_norm2 + b" },
  "mlp.activation_fn": { axes: "token mlp", formula: "GELU(mlp.fc1)" },
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
    axes: "token hidden",
    formula: "LayerNorm(last layer)",
    norm: "after",
    aliases: { "": "token hidden" },
  },
} as const satisfies SiteTable;

type LayerSite = keyof typeof layerSites;
export type VisionSite =
  | keyof typeof embeddingSites
  | `encoder.layers.${number}`
  | `encoder.layers.${number}.${LayerSite}`
  | keyof typeof lastSites;

/** Every site of the tower at `path`, in the order in which it is computed. */
export function visionSites(path: string, { numHiddenLayers }: VisionConfig): Site[] {
  const layers = Array.from({ length: numHiddenLayers }, (_, i) =>
    placed(`${path}.encoder.layers.${i}`, { ...layerSites, ...layerOutput }),
  ).flat();
  const sites = [...placed(path, embeddingSites), ...layers, ...placed(path, lastSites)];
  return alsoCalled(sites, `${path}.encoder.layers.${numHiddenLayers - 1}`, `${path}.encoder`);
}

/** pixels [B, 3, side, side] to [B, T, hidden]. */
export function visionTower(at: Scope<VisionSite>, config: VisionConfig, pixels: Tensor): Tensor {
  const { gpu } = at;
  let x = gpu.frame(() => embeddings(at, config, pixels));
  for (let i = 0; i < config.numHiddenLayers; i++) {
    x = gpu.frame(() => at.site(`encoder.layers.${i}`, layer(at.in(`encoder.layers.${i}`), config, x)));
  }
  return at.site("post_layernorm", layerNorm(at, "post_layernorm", x, config.layerNormEps));
}

function embeddings(at: Scope<VisionSite>, { hiddenSize, imageSize, patchSize }: VisionConfig, pixels: Tensor): Tensor {
  const cut = patches(at.gpu, "patches", pixels, patchSize); // [B, T-1, 3·P·P]
  const patch = linear(at, "embeddings.patch_embedding", cut, hiddenSize); // [B, T-1, hidden]
  const seen = at.site("embeddings.patch_embedding", patch);
  const tokens = (imageSize / patchSize) ** 2 + 1;
  const classVector = at.weights.vector(`${at.path}.embeddings.class_embedding`, [1, 1, hiddenSize]);
  const position = at.weights.vector(`${at.path}.embeddings.position_embedding`, [1, tokens, hiddenSize]);
  return at.site("embeddings", visionEmbeddings(at.gpu, "embeddings", seen, classVector, position)); // [B, T, hidden]
}

/** Attend, then the MLP; both read a normalised copy of the residual stream and add to it. */
function layer(at: Scope<LayerSite>, config: VisionConfig, x: Tensor): Tensor {
  const { hiddenSize, intermediateSize, layerNormEps } = config;
  const normal = at.site("layer_norm1", layerNorm(at, "layer_norm1", x, layerNormEps)); // [B, T, hidden]
  const middle = at.site("resid_mid", add(at.gpu, "resid_mid", attention(at, config, normal), x));
  const again = at.site("layer_norm2", layerNorm(at, "layer_norm2", middle, layerNormEps));
  const wide = at.site("mlp.fc1", linear(at, "mlp.fc1", again, intermediateSize)); // [B, T, mlp]
  const active = at.site("mlp.activation_fn", gelu(at, wide));
  const mlp = at.site("mlp", linear(at, "mlp.fc2", active, hiddenSize)); // [B, T, hidden]
  return add(at.gpu, "layer", mlp, middle);
}

function attention(at: Scope<LayerSite>, { hiddenSize, numAttentionHeads }: VisionConfig, x: Tensor): Tensor {
  const [rawQ, rawK, rawV] = queryKeyValue(at, hiddenSize, x); // [B, T, H·D]
  const q = at.site("self_attn.q", heads(rawQ, numAttentionHeads)); // [B, T, H, D]
  const k = at.site("self_attn.k", heads(rawK, numAttentionHeads));
  const v = at.site("self_attn.v", heads(rawV, numAttentionHeads));
  const z = at.site("self_attn.z", attend(at, "self_attn", q, k, v, false)); // [B, T, H, D]
  const out = linear(at, "self_attn.projection", merged(z), hiddenSize); // [B, T, hidden]
  return at.site("self_attn", results(at, "self_attn.result", "self_attn.projection", z, out));
}

/** The layer makes all three in one product; side by side they are a tensor only where somebody looks. */
function queryKeyValue(at: Scope<LayerSite>, hiddenSize: number, x: Tensor): [Tensor, Tensor, Tensor] {
  const name = "self_attn.qkv";
  if (!at.watched(name)) return linearParts(at, name, x, 3 * hiddenSize, ["q", "k", "v"]) as [Tensor, Tensor, Tensor];
  const qkv = at.site(name, linear(at, name, x, 3 * hiddenSize)); // [B, T, 3·H·D]
  const part = (i: number) => columns(at, qkv, i * hiddenSize, hiddenSize);
  return [part(0), part(1), part(2)];
}
