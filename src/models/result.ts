/** What each head adds to the residual stream, made only when somebody looks. */
import { add } from "../kernels/add.ts";
import { headChange } from "../kernels/head-change.ts";
import { isolateHeads } from "../kernels/isolate-heads.ts";
import { matmul } from "../kernels/matmul.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { alike, type Scope } from "./scope.ts";

/**
 * The site `name`: z [B, T, H, D] by each head's columns of the output projection: [B, H, T, hidden]. Returns the
 * attention's output `out` [B, T, hidden], plus what a tap changed in the results; with nothing changed, the same bits.
 * TransformerLens: `hook_result`.
 */
export function results<Site extends string>(
  at: Scope<Site>,
  name: Site,
  projection: string,
  z: Tensor,
  out: Tensor,
): Tensor {
  if (!at.watched(name)) return out;
  const path = `${at.path}.${projection}`;
  const [, , heads, dim] = z.shape as [number, number, number, number];
  const names = { weight: `${path}.weight`, bias: null };
  const { weight } = at.weights.linears([names], out.shape.at(-1)!, heads * dim)[0]!;
  const made = matmul(at.gpu, name, isolateHeads(at.gpu, "heads alone", z), weight); // [B, H, T, hidden]
  const kept = at.site(name, made);
  if (kept === made) return out;
  const change = headChange(at.gpu, "change of the results", kept, at.layout.beside(made, kept)); // [B, T, hidden]
  return add(at.gpu, path, ...alike(at.layout, change, out));
}
