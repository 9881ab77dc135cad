/** From the picture's states to vectors like those of words. Hugging Face: LlavaMultiModalProjector. B rows, N image tokens. */
import type { Tensor } from "../../kernels/tensor.ts";
import { gelu, linear } from "../layers.ts";
import type { Scope } from "../scope.ts";
import { placed, type Site, type SiteTable } from "../sites.ts";

const projectorSites = {
  linear_1: {
    axes: "token hidden",
    formula: "W_1 vision_feature + b, without the class token unless the config keeps it",
  },
  act: { axes: "token hidden", formula: "GELU(linear_1)" },
  linear_2: { axes: "token hidden", formula: "W_2 act + b", aliases: { "": "token hidden" } },
} as const satisfies SiteTable;

export type ProjectorSite = keyof typeof projectorSites;

export const sitesOfProjector = (path: string): Site[] => placed(path, projectorSites);

/** [B, N, vision hidden] to [B, N, hidden]. */
export function projector(at: Scope<ProjectorSite>, x: Tensor, hiddenSize: number): Tensor {
  const first = at.site("linear_1", linear(at, "linear_1", x, hiddenSize)); // [B, N, hidden]
  const active = at.site("act", gelu(at, first));
  return at.site("linear_2", linear(at, "linear_2", active, hiddenSize));
}
