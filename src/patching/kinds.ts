/** Names from the original and from TransformerLens, read at the edge: each is a pattern of sites, one site per layer. */
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import { nearest } from "../models/nearest.ts";
import { meantSites, type Site } from "../models/sites.ts";
import { extent } from "./cell.ts";

/** NOTICE's kinds for BLIP's text encoder (NOTICE.md 6), and the MLP alone, which it lacks. */
const kindPatterns: Readonly<Record<string, string>> = {
  output: "text_encoder.encoder.layer.*.output",
  attention_block: "text_encoder.encoder.layer.*.attention.self",
  crossattention_block: "text_encoder.encoder.layer.*.crossattention.self",
  crossattention_layernorm: "text_encoder.encoder.layer.*.crossattention.output",
  mlp_block: "text_encoder.encoder.layer.*.output.dense",
  embed: "text_encoder.embeddings",
  cls: "text_decoder.cls.predictions.transform",
};

/** TransformerLens's names, for BLIP's text encoder. */
const hookPatterns: Readonly<Record<string, string>> = {
  hook_embed: "text_encoder.embeddings.word_embeddings",
  hook_pos_embed: "text_encoder.embeddings.position_embeddings",
  hook_full_embed: "text_encoder.embeddings",
  "blocks.N.attn.hook_q": "text_encoder.encoder.layer.N.attention.self.q",
  "blocks.N.attn.hook_k": "text_encoder.encoder.layer.N.attention.self.k",
  "blocks.N.attn.hook_v": "text_encoder.encoder.layer.N.attention.self.v",
  "blocks.N.attn.hook_attn_scores": "text_encoder.encoder.layer.N.attention.self.scores",
  "blocks.N.attn.hook_pattern": "text_encoder.encoder.layer.N.attention.self.probs",
  "blocks.N.attn.hook_z": "text_encoder.encoder.layer.N.attention.self",
  "blocks.N.attn.hook_result": "text_encoder.encoder.layer.N.attention.self.result",
  "blocks.N.hook_attn_out": "text_encoder.encoder.layer.N.attention.output.dense",
  "blocks.N.mlp.hook_pre": "text_encoder.encoder.layer.N.intermediate.dense",
  "blocks.N.mlp.hook_post": "text_encoder.encoder.layer.N.intermediate",
  "blocks.N.hook_mlp_out": "text_encoder.encoder.layer.N.output.dense",
  "blocks.N.hook_resid_post": "text_encoder.encoder.layer.N.output",
};

/** A kind, a TransformerLens name or a site pattern as a pattern of sites. */
export function sitePattern(name: string): string {
  const layer = name.match(/^blocks\.(\d+|\*)\./)?.[1];
  const hook = hookPatterns[layer === undefined ? name : name.replace(/^blocks\.(\d+|\*)\./, "blocks.N.")];
  return kindPatterns[name] ?? hook?.replace(".N.", `.${layer}.`) ?? name;
}

export interface Kind {
  readonly kind: string;
  /** One per layer, in order. */
  readonly sites: readonly Site[];
}

/** @throws UserError for a kind that matches no site */
export function resolveKind(model: Model, kind: string): Kind {
  const pattern = sitePattern(kind);
  try {
    return { kind, sites: meantSites(model.sites, [pattern]) };
  } catch (error) {
    if (pattern !== kind || kind.includes(".")) throw error;
    const close = nearest(kind, Object.keys(kindPatterns));
    throw new UserError(
      `kind "${kind}": expected ${Object.keys(kindPatterns).join(", ")}, or a site pattern; nearest: ${close[0]}`,
    );
  }
}

/** Does the kind patch single heads? */
export function headCount(model: Model, { sites }: Kind, tokens: number): number {
  const shape = model.shapes(tokens).get(sites[0]!.name)!;
  return extent(sites[0]!.axes, shape.slice(1)).heads;
}
