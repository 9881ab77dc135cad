import { attention, type KeyValuePast } from "../kernels/attention.ts";
import { attentionMix } from "../kernels/attention-mix.ts";
import { attentionScores } from "../kernels/attention-scores.ts";
import { softmax } from "../kernels/softmax.ts";
import type { Tensor } from "../kernels/tensor.ts";
import type { Scope } from "./scope.ts";

/**
 * q [B, T, H, D] asks k and v [B, S, key heads, D]: the context [B, T, H, D]. The sites `name.scores` and `name.probs`
 * [B, H, T, S] are tensors only where somebody looks, with the same bits either way.
 * @param causal no token sees a later one
 */
export function attend<Site extends string>(
  at: Scope<Site | `${Site}.scores` | `${Site}.probs`>,
  name: Site,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  causal: boolean,
  past?: KeyValuePast,
): Tensor {
  const [scores, probs] = [`${name}.scores`, `${name}.probs`] as const;
  if (!at.watched(scores) && !at.watched(probs)) return attention(at.gpu, "z", q, k, v, causal, past);
  const seen = at.site(scores, attentionScores(at.gpu, "scores", q, k, causal, past?.keys));
  const weights = at.site(probs, softmax(at.gpu, "probs", seen));
  return attentionMix(at.gpu, "z", weights, at.layout.beside(v, weights), past?.values);
}
