import type { Input, Model } from "../../src/models/model.ts";
import type { SiteName } from "../../src/models/sites.ts";
import { type Cell, copySpans, extent } from "../../src/patching/cell.ts";

/** The other run's values at a token (and head) of a site, counted from the start again where it has fewer; null means all. */
export function copyCell(
  model: Model,
  { ids }: Input,
  { name, axes }: SiteName,
  token: number | null,
  head: number | null,
): Cell {
  const shape = model.shapes(ids.length).get(name)!.slice(1);
  const { tokens, heads } = extent(axes, shape);
  const toToken = token === null ? null : token % tokens;
  const place = { toToken, fromToken: toToken, head: heads === 0 ? null : head };
  return [
    {
      site: name,
      source: "other",
      kind: "copy",
      factor: 0,
      spans: copySpans({ site: name, axes, to: shape, from: shape, ...place }),
    },
  ];
}
