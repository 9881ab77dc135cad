/** A circuit as a heat map: layers down, heads across, the important ones outlined, the published ones dotted. */
import type { Circuit } from "../circuit.ts";
import type { Column, Grid } from "../report/grid.ts";
import { heatMap } from "../report/heat-map.ts";
import { scaleOf, short } from "../report/palette.ts";

export const strengthName = (column: Column): string => `mean of |${column}|`;

/** @param file brings its own ground and ink */
export function circuitMap(circuit: Circuit, column: Column, width: number, file: boolean): string {
  const { task, mode, kind, direction, samples, threshold, heads, published } = circuit;
  const grid = gridOf(circuit);
  const scale = scaleOf(
    "p_patched",
    "raw",
    grid.rows.flatMap(({ values }) => values),
  );
  const subtitle = [
    `${mode} corruption`,
    kind,
    direction,
    `${samples} ${samples === 1 ? "sample" : "samples"}`,
    threshold === null ? "no threshold" : `outlined: at least ${short(threshold)}`,
    ...(published ? [`dots: published of ${published.model}`] : []),
  ].join(", ");
  const svg = heatMap({
    title: task,
    subtitle,
    grid,
    across: heads,
    axes: { x: "Head", y: "Layer" },
    scale: { ...scale, caption: `${strengthName(column)}${column === "logit_diff" ? " (logits)" : ""}` },
    width,
    file,
  });
  return marked(svg, circuit);
}

export function gridOf({ layers, heads, scores, samples }: Circuit): Grid {
  const rows = layers.map((layer, l) => {
    const row = scores.slice(l * heads.length, (l + 1) * heads.length);
    return { label: String(layer), values: row.map(({ strength }) => strength), counts: row.map(({ n }) => n) };
  });
  return { samples, rows };
}

/** Marks are drawn over the cells, so that no neighbour covers them. */
function marked(svg: string, { scores }: Circuit): string {
  const marks = [
    ...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" data-cell="(\d+)"/g),
  ]
    .map((match) => match.slice(1).map(Number) as [number, number, number, number, number])
    .map(([x, y, width, height, cell]) => {
      const { important, published } = scores[cell]!;
      const box = `x="${fixed(x + 1)}" y="${fixed(y + 1)}" width="${fixed(width - 2)}" height="${fixed(height - 2)}"`;
      const outline = `<rect ${box} fill="none" stroke="#ff8c00" stroke-width="2" pointer-events="none"/>`;
      const radius = Math.min(3, width / 4, height / 4);
      const centre = `cx="${fixed(x + width / 2)}" cy="${fixed(y + height / 2)}" r="${fixed(radius)}"`;
      const dot = `<circle ${centre} fill="#ffffff" stroke="#1d1b26" pointer-events="none"/>`;
      return (important ? outline : "") + (published ? dot : "");
    });
  return svg.replace("</svg>", `${marks.join("")}</svg>`);
}

const fixed = (value: number): string => String(Math.round(value * 100) / 100);
