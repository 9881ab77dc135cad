/** Defects of the original (NOTICE.md 12, 13) that a sweep can repeat, one by one. */
import { type Compat, dataDefects } from "../data/defects.ts";
import type { Sample } from "../data/sample.ts";
import { UserError } from "../models/errors.ts";
import { type Model, readsPicture } from "../models/model.ts";
import { originalAnswerToken } from "./answers.ts";
import type { SamplePair } from "./pair.ts";
import { length } from "./positions.ts";

/** D5 is only a label. D4 concerns BLIP's tables, D6, D7 and D24 concern LLaVA. */
const blip = ["D4", "D5", "D8", "D9"] as const;
const llava = ["D6", "D7", "D8", "D9", "D24"] as const;

export type Defect = (typeof blip | typeof llava)[number];
export type Defects = Readonly<Partial<Record<Defect, Compat>>>;

/**
 * The state of each defect that concerns the model: as `compat` says, but for the exceptions, which are the other way round.
 * @throws UserError for an exception that is no such defect
 */
export const sweepDefects = (model: Model, compat: Compat, except: readonly string[]): Defects =>
  dataDefects<readonly Defect[]>(readsPicture(model) ? llava : blip, compat, except);

/** What the original patches where it does not patch what it means. */
export interface OriginalPlaces {
  /** D6: values of whole sites come from the residual stream behind the layer, of the last one behind the final norm. */
  readonly residual?: (site: string) => string;
  /** D7: heads are patched so many tokens behind the answer. */
  readonly headToken?: { readonly token: number; readonly position: number; readonly dropped?: string };
}

export function originalPlaces(model: Model, pair: SamplePair, sample: Sample, defects: Defects): OriginalPlaces {
  const { D6, D7 } = defects;
  return {
    ...(D6 === "upstream" && { residual: (site) => residualBehind(model, site) }),
    ...(D7 === "upstream" && { headToken: shiftedToken(model, pair, sample) }),
  };
}

function residualBehind(model: Model, site: string): string {
  const layer = Number(site.match(/^language_model\.model\.layers\.(\d+)\.(mlp|self_attn\.z)$/)?.[1] ?? Number.NaN);
  if (Number.isNaN(layer))
    throw new UserError(
      `site ${site}: the original patches only mlp_block and attention_block of LLaVA (D6); leave it out, or use --except D6`,
    );
  return layer === model.layers - 1 ? "language_model.model.norm" : `language_model.model.layers.${layer}`;
}

/** The index already counts the tokens before the question, and the original adds their number again. */
function shiftedToken(model: Model, pair: SamplePair, sample: Sample): NonNullable<OriginalPlaces["headToken"]> {
  const { clean, base, questionToken } = pair;
  const token = originalAnswerToken(model, clean, sample) ?? pair.tokens.length;
  const at = clean.picture!.tokens - 1 + token + questionToken;
  const end = Math.min(length(base), length(clean));
  if (at < end) return { token, position: at };
  const dropped = `the original patches position ${at} of ${end}, so it loses this row (D7)`;
  return { token, position: at, dropped };
}
