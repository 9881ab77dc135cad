/** Heads that were published as universal (NOTICE, and accounts of it): marks to compare with, never results. */
import type { HeadName } from "../circuit.ts";

interface Published {
  readonly model: string;
  readonly layers: number;
  readonly heads: number;
  readonly sites: RegExp;
  readonly universal: readonly string[];
}

const published: readonly Published[] = [
  {
    model: "BLIP",
    layers: 12,
    heads: 12,
    sites: /^text_encoder\.encoder\.layer\.\d+\.crossattention\.self$/,
    universal: ["L3.H0", "L5.H3", "L0.H11"],
  },
  {
    model: "LLaVA",
    layers: 32,
    heads: 32,
    sites: /^language_model\.model\.layers\.\d+\.self_attn\.z$/,
    universal: ["L28.H2", "L31.H27", "L18.H10", "L16.H24", "L21.H30", "L19.H15", "L18.H30"],
  },
];

export interface Swept {
  /** One per layer. */
  readonly sites: readonly string[];
  readonly heads: readonly number[];
}

/** What was published of a model with so many layers and heads at these sites; nothing for any other. */
export function publishedHeads({ sites, heads }: Swept): { model: string; heads: readonly HeadName[] } | null {
  const found = published.find(
    (one) => one.layers === sites.length && one.heads === heads.length && sites.every((site) => one.sites.test(site)),
  );
  return found ? { model: found.model, heads: found.universal } : null;
}
