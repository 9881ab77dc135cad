/** A grid of attention as a picture: enlarged and coloured. */
import { pngOfPalette } from "../overlay-png.ts";
import { enlarge } from "./overlay-spline.ts";
import { colourAt } from "./palette.ts";

/** Equally spaced anchors. `seismic` is the original's map for what is above and below the mean; `viridis` for magnitude. */
export const heatMaps = {
  seismic: ["#00004d", "#0000ff", "#ffffff", "#ff0000", "#800000"],
  viridis: ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"],
} as const;

export interface Heat {
  readonly png: Uint8Array;
  /** What the two ends of the colours mean. */
  readonly low: number;
  readonly high: number;
}

/** A grid [side, side] as a picture of `to` x `to`: from its smallest value, or a magnitude from zero, to its largest. */
export function heat(grid: readonly number[], map: keyof typeof heatMaps, to: number): Heat {
  const values = enlarge(grid, Math.sqrt(grid.length), to);
  const high = values.reduce((a, b) => Math.max(a, b));
  const low = map === "viridis" ? 0 : values.reduce((a, b) => Math.min(a, b));
  const scale = high === low ? 0 : 256 / (high - low);
  const indices = Uint8Array.from(values, (value) => Math.max(0, Math.min(255, Math.floor((value - low) * scale))));
  const colours = Array.from({ length: 256 }, (_, i) => colourAt(heatMaps[map], i / 255));
  return { png: pngOfPalette(indices, to, colours), low, high };
}

/** What a head looks at more or less than all heads do on the average. */
export const minus = (grid: readonly number[], average: readonly number[]): number[] =>
  grid.map((value, i) => value - average[i]!);
