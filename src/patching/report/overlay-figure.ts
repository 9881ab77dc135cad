/** overlays/: a picture for each sample, token and head, as the original draws it, and for the mean of all heads. */
import { pngAddress } from "../overlay-png.ts";
import type { Overlays, SampleOverlay } from "../overlay-store.ts";
import { escapeText } from "./heat-map.ts";
import { heat, heatMaps, minus } from "./overlay-heat.ts";
import { short } from "./palette.ts";

export interface OverlayFigure {
  /** Without its ending. */
  readonly name: string;
  readonly svg: string;
}

export const averageTitle = ({ attention }: Pick<Overlays, "attention">): string =>
  `Avg. ${attention === "cross" ? "Cross" : "Self"}-Attention`;

export function overlayFigures(all: Overlays): OverlayFigure[] {
  return all.overlays.flatMap((one) =>
    one.tokens.flatMap(({ name, token, text, average, heads }) => {
      const under = `sample ${one.sample}, from ${text} (token ${token})`;
      const place = `${one.sample}-${one.task}-${name}`;
      return [
        ...all.heads.map(({ layer, head }, i) => ({
          name: `${place}-L${layer}.H${head}`,
          svg: figure(one, minus(heads[i]!, average), `L.${layer} H.${head}`, `${under}, minus the mean of all heads`),
        })),
        { name: `${place}-average`, svg: figure(one, average, averageTitle(all), under) },
      ];
    }),
  );
}

/** Of the square that is drawn, and how many times a grid is enlarged. */
const side = 288;
const times = 16;

/** The picture under the grid at half its strength, with a colour bar. */
function figure({ picture }: SampleOverlay, grid: readonly number[], title: string, subtitle: string): string {
  const { png, low, high } = heat(grid, "seismic", times * Math.sqrt(grid.length));
  const [left, top, right] = [12, 54, 90];
  const [width, height] = [left + side + right, top + side + 12];
  const box = `x="${left}" y="${top}" width="${side}" height="${side}"`;
  const bar = left + side + 14;
  const stops = heatMaps.seismic.map((colour, i) => `<stop offset="${i / 4}" stop-color="${colour}"/>`).join("");
  const text = (x: number, y: number, words: string, more = "") =>
    `<text x="${x}" y="${y}"${more}>${escapeText(words)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="'Open Sans', sans-serif" font-size="12" fill="#1d1b26">`,
    `<defs><linearGradient id="bar" x1="0" y1="1" x2="0" y2="0">${stops}</linearGradient></defs>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(left, 22, title, ` font-size="16" font-weight="600"`),
    text(left, 42, subtitle, ` opacity="0.75"`),
    `<image ${box} xlink:href="data:image/png;base64,${picture}"/>`,
    `<image ${box} opacity="0.5" xlink:href="${pngAddress(png)}"/>`,
    `<rect x="${bar}" y="${top}" width="14" height="${side}" fill="url(#bar)" stroke="#1d1b26" stroke-opacity="0.3" stroke-width="0.5"/>`,
    text(bar + 20, top + 10, short(high)),
    text(bar + 20, top + side, short(low)),
    "</svg>\n",
  ].join("");
}
