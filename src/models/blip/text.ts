/** BLIP's two text towers: embeddings, then layers. Hugging Face: BlipTextModel. B rows, T tokens, S sources. */
import type { Tensor } from "../../kernels/tensor.ts";
import { embed, layerNorm, linears } from "../layers.ts";
import { alike, type Scope } from "../scope.ts";
import { alsoCalled, placed, type Site, type SiteTable } from "../sites.ts";
import type { TextConfig } from "./config.ts";
import { type KeyValue, keyValueNames, type TextLayerSite, textLayer, textLayerSites } from "./text-layer.ts";

const embeddingSites = {
  "embeddings.word_embeddings": { axes: "token hidden", formula: "row of the word table" },
  "embeddings.position_embeddings": { axes: "token hidden", formula: "row of the position table" },
  embeddings: {
    axes: "token hidden",
    formula: "LayerNorm(word + position)",
    norm: "after",
    aliases: { "embeddings.LayerNorm": "token hidden" },
  },
} as const satisfies SiteTable;

export type TextSite = keyof typeof embeddingSites | `encoder.layer.${number}.${TextLayerSite}`;

/**
 * Every site of the tower at `path`, in the order in which it is computed. `alone`: tokens are treated alone between
 * self-attentions, because all rows share what they look at.
 */
export function textSites(path: string, { numHiddenLayers }: TextConfig, alone: boolean): Site[] {
  const layers = Array.from({ length: numHiddenLayers }, (_, i) =>
    Object.entries(textLayerSites).flatMap(([place, table]) =>
      placed([`${path}.encoder.layer.${i}`, place].filter((part) => part !== "").join("."), table),
    ),
  ).flat();
  const last = `${path}.encoder.layer.${numHiddenLayers - 1}.output`;
  const sites = alsoCalled([...placed(path, embeddingSites), ...layers], last, `${path}.encoder`, path);
  return alone ? sites : sites.map((site) => ({ ...site, single: null }));
}

/** ids [B, T] (and positions 0 … T-1) with states to look at [B, S, hidden], or their `crossKeyValues`: [B, T, hidden]. */
export function textTower(
  at: Scope<TextSite>,
  config: TextConfig,
  ids: Tensor,
  positions: Tensor,
  memory: Tensor | readonly KeyValue[],
  causal: boolean,
): Tensor {
  const { gpu } = at;
  let x = gpu.frame(() => embeddings(at, config, ids, positions));
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const own = "shape" in memory ? memory : memory[i]!;
    x = gpu.frame(() => textLayer(at.in(`encoder.layer.${i}`), config, at.layout.whole(x), own, causal));
  }
  return at.layout.whole(x);
}

/** Keys and values [B, S, hidden] that the cross-attention of each layer reads of `states` [B, S, hidden]: one product. */
export function crossKeyValues(at: Scope<TextSite>, config: TextConfig, states: Tensor): KeyValue[] {
  const layers = Array.from({ length: config.numHiddenLayers }, (_, i) => `encoder.layer.${i}.crossattention`);
  const names = layers.flatMap((layer) => keyValueNames.map((name) => `${layer}.${name}`));
  const made = linears(at, names, states, config.hiddenSize);
  return layers.map((_, i) => [made[2 * i]!, made[2 * i + 1]!]);
}

function embeddings(at: Scope<TextSite>, config: TextConfig, ids: Tensor, positions: Tensor): Tensor {
  const { vocabSize, maxPositionEmbeddings, hiddenSize, layerNormEps } = config;
  const word = at.site(
    "embeddings.word_embeddings",
    embed(at, "embeddings.word_embeddings", ids, vocabSize, hiddenSize),
  ); // [B, T, hidden]
  const places = embed(at, "embeddings.position_embeddings", positions, maxPositionEmbeddings, hiddenSize);
  const place = at.site("embeddings.position_embeddings", places); // [1, T, hidden]
  const [first, second] = alike(at.layout, word, place);
  return at.site("embeddings", layerNorm(at, "embeddings.LayerNorm", first, layerNormEps, second)); // [B, T, hidden]
}
