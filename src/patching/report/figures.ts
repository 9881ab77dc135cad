/** The main heat maps as files of their own: all groups and orders, SVG and PNG. */
import { join } from "node:path";
import { packageRoot } from "../../version.ts";
import { type Column, combine, type MeanTable, orderName, viewText } from "./grid.ts";
import { heatMap } from "./heat-map.ts";
import { scaleOf, type View } from "./palette.ts";

const drawnColumns: readonly (readonly [Column, View])[] = [
  ["p_patched", "paper"],
  ["logit_diff", "raw"],
];

export interface Figure {
  /** Without its ending. */
  readonly name: string;
  readonly svg: string;
}

/** `p_patched` as the paper shows it, `logit_diff` with its sign and units. */
export function figures(tables: readonly MeanTable[]): Figure[] {
  return tables.flatMap((table) =>
    drawnColumns.map(([column, view]) => ({
      name: [viewText[table.what].file, table.task, table.mode, fileName(table.kind), column].join("-"),
      svg: figure(table, column, view, { file: true }).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '),
    })),
  );
}

/** All groups and both orders in one heat map. */
export function figure(table: MeanTable, column: Column, view: View, { file }: { file: boolean }): string {
  const grid = combine(table, column, null, null);
  const { x, y, where } = viewText[table.what];
  return heatMap({
    title: `${table.task} - all groups - ${orderName(null)}`,
    subtitle: `${table.mode} corruption, ${table.kind}${where}, mean of ${grid.samples} ${grid.samples === 1 ? "sample" : "samples"}`,
    grid,
    across: table.across,
    axes: { x, y },
    scale: scaleOf(
      column,
      view,
      grid.rows.flatMap(({ values }) => values),
    ),
    width: 640,
    file,
  });
}

/** A kind may be a pattern of sites: `*` becomes N, what a file name cannot hold its code. */
const fileName = (kind: string): string =>
  kind.replaceAll("*", "N").replace(/[^\w.]/g, (letter) => `~${letter.codePointAt(0)!.toString(16)}`);

/** Draws SVG in the font that comes with this package, so that the picture is the same everywhere. */
export async function pngOf(svg: string): Promise<Uint8Array> {
  const { Resvg } = await import("@resvg/resvg-js");
  const file = join(packageRoot(), "data", "fonts", "OpenSans-Regular.ttf");
  const font = { fontFiles: [file], loadSystemFonts: false, defaultFontFamily: "Open Sans" };
  return new Resvg(svg, { font, fitTo: { mode: "zoom", value: 2 } }).render().asPng();
}
