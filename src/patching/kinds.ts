/** Names from the original and from TransformerLens, read at the edge: each is a pattern of sites, one site per layer. */
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import { nearest } from "../models/nearest.ts";
import { meantSites, type Site } from "../models/sites.ts";
import { extent } from "./cell.ts";

/** Patterns in BLIP and in LLaVA; the first that matches a site of the model is meant. */
type Patterns = Readonly<Record<string, readonly string[]>>;

/** NOTICE's kinds (NOTICE.md 6, 7), and what it lacks: the MLP alone in BLIP, the block output in LLaVA. */
const kindPatterns: Patterns = {
  output: ["text_encoder.encoder.layer.*.output", "language_model.model.layers.*"],
  attention_block: ["text_encoder.encoder.layer.*.attention.self", "language_model.model.layers.*.self_attn.z"],
  crossattention_block: ["text_encoder.encoder.layer.*.crossattention.self"],
  crossattention_layernorm: ["text_encoder.encoder.layer.*.crossattention.output"],
  mlp_block: ["text_encoder.encoder.layer.*.output.dense", "language_model.model.layers.*.mlp"],
  embed: ["text_encoder.embeddings", "language_model.model.inputs_embeds"],
  cls: ["text_decoder.cls.predictions.transform"],
};

/** TransformerLens's names, for BLIP's text encoder and LLaVA's language model. */
const hookPatterns: Patterns = {
  hook_embed: ["text_encoder.embeddings.word_embeddings", "language_model.model.inputs_embeds"],
  hook_pos_embed: ["text_encoder.embeddings.position_embeddings"],
  hook_full_embed: ["text_encoder.embeddings"],
  "ln_final.hook_normalized": ["language_model.model.norm"],
  ...inLayers({
    "attn.hook_q": ["attention.self.q", "self_attn.q_proj"],
    "attn.hook_k": ["attention.self.k", "self_attn.k_proj"],
    "attn.hook_rot_q": ["", "self_attn.q"],
    "attn.hook_rot_k": ["", "self_attn.k"],
    "attn.hook_v": ["attention.self.v", "self_attn.v"],
    "attn.hook_attn_scores": ["attention.self.scores", "self_attn.scores"],
    "attn.hook_pattern": ["attention.self.probs", "self_attn.probs"],
    "attn.hook_z": ["attention.self", "self_attn.z"],
    "attn.hook_result": ["attention.self.result", "self_attn.result"],
    hook_attn_out: ["attention.output.dense", "self_attn"],
    hook_resid_mid: ["", "resid_mid"],
    "ln1.hook_normalized": ["", "input_layernorm"],
    "ln2.hook_normalized": ["", "post_attention_layernorm"],
    "mlp.hook_pre": ["intermediate.dense", "mlp.gate_proj"],
    "mlp.hook_pre_linear": ["", "mlp.up_proj"],
    "mlp.hook_post": ["intermediate", "mlp.hidden"],
    hook_mlp_out: ["output.dense", "mlp"],
  }),
  "blocks.N.hook_resid_post": ["text_encoder.encoder.layer.N.output", "language_model.model.layers.N"],
};

function inLayers(names: Readonly<Record<string, readonly [string, string]>>): Patterns {
  const places = ["text_encoder.encoder.layer.N", "language_model.model.layers.N"];
  return Object.fromEntries(
    Object.entries(names).map(([hook, sites]) => [
      `blocks.N.${hook}`,
      sites.flatMap((site, i) => (site === "" ? [] : [`${places[i]}.${site}`])),
    ]),
  );
}

/** A kind, a TransformerLens name or a site pattern as a pattern of the model's sites. */
export function sitePattern(name: string, sites: readonly Site[]): string {
  const layer = name.match(/^blocks\.(\d+|\*)\./)?.[1] ?? "N";
  const hook = layer === "N" ? name : name.replace(/^blocks\.(\d+|\*)\./, "blocks.N.");
  const known = [kindPatterns, hookPatterns].find((patterns) => Object.hasOwn(patterns, hook))?.[hook] ?? [];
  const tower = (pattern: string) => pattern.slice(0, pattern.indexOf(".") + 1);
  const own = known.find((pattern) => sites.some((site) => site.name.startsWith(tower(pattern))));
  return own?.replace(".N", `.${layer}`) ?? name;
}

export interface Kind {
  readonly kind: string;
  /** One per layer, in order. */
  readonly sites: readonly Site[];
}

/** @throws UserError for a kind that matches no site */
export function resolveKind(model: Model, kind: string): Kind {
  const pattern = sitePattern(kind, model.sites);
  try {
    return { kind, sites: meantSites(model.sites, [pattern]) };
  } catch (error) {
    if (pattern !== kind || kind.includes(".")) throw error;
    const known = Object.keys(kindPatterns).filter((name) => sitePattern(name, model.sites) !== name);
    throw new UserError(
      `kind "${kind}": expected ${known.join(", ")}, or a site pattern; nearest: ${nearest(kind, known)[0]}`,
    );
  }
}

/** Does the kind patch single heads? */
export function headCount(model: Model, { sites }: Kind, tokens: number): number {
  const shape = model.shapes(tokens).get(sites[0]!.name)!;
  return extent(sites[0]!.axes, shape.slice(1)).heads;
}
