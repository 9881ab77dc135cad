/** Colours of heat maps. Both scales are told apart by people with any colour vision. */
import type { Column } from "./grid.ts";

/** Equally spaced anchors, linear between them. `Purples` is the original's map (9 anchors), `RdBu` is for signed values. */
const purples = ["#fcfbfd", "#efedf5", "#dadaeb", "#bcbddc", "#9e9ac8", "#807dba", "#6a51a3", "#54278f", "#3f007d"];
const redBlue = [
  "#053061",
  "#2166ac",
  "#4393c3",
  "#92c5de",
  "#d1e5f0",
  "#f7f7f7",
  "#fddbc7",
  "#f4a582",
  "#d6604d",
  "#b2182b",
  "#67001f",
];

export type View = "paper" | "raw";

/** How the values of one map become colours, and what its colour bar says. */
export interface Scale {
  readonly anchors: readonly string[];
  readonly low: number;
  readonly high: number;
  /** What stands at the two ends of the colour bar. */
  readonly ends: readonly [string, string];
  readonly caption: string;
}

const units: Readonly<Record<Column, string>> = {
  p_patched: "probability of the correct answer",
  p_diff: "change of probability",
  logit_diff: "change of the logit difference (logits)",
  effect: "share of the difference brought back (1 = all)",
};

/**
 * `paper`: from the smallest to the largest value of the map, in purple.
 * `raw`: from zero in purple for a probability, about zero in blue and red for a change.
 */
export function scaleOf(column: Column, view: View, values: readonly (number | null)[]): Scale {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) [low, high] = [0, 1];
  if (view === "paper") {
    const caption = `${column}, min–max normalised (${short(low)} … ${short(high)})`;
    return { anchors: purples, low, high, ends: ["0", "1"], caption };
  }
  const caption = `${column}: ${units[column]}`;
  if (column === "p_patched") return { anchors: purples, low: 0, high, ends: ["0", short(high)], caption };
  const bound = Math.max(Math.abs(low), Math.abs(high));
  return { anchors: redBlue, low: -bound, high: bound, ends: [short(-bound), short(bound)], caption };
}

/** Where a value stands on its scale, 0 to 1; a scale without width is all 0, a signed one all middle. */
export function place(scale: Scale, value: number): number {
  if (scale.high === scale.low) return scale.low < 0 || scale.anchors === redBlue ? 0.5 : 0;
  return Math.min(1, Math.max(0, (value - scale.low) / (scale.high - scale.low)));
}

export function colourAt(anchors: readonly string[], where: number): string {
  const at = Math.min(where * (anchors.length - 1), anchors.length - 1);
  const from = Math.min(Math.floor(at), anchors.length - 2);
  const channel = (anchor: string, i: number) => Number.parseInt(anchor.slice(1 + 2 * i, 3 + 2 * i), 16);
  const mixed = [0, 1, 2].map((i) => {
    const start = channel(anchors[from]!, i);
    return Math.round(start + (at - from) * (channel(anchors[from + 1]!, i) - start));
  });
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** Black or white, whichever is read better on a colour. */
export function inkOn(colour: string): string {
  const [red, green, blue] = [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16)) as [
    number,
    number,
    number,
  ];
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#1d1b26" : "#ffffff";
}

/** Three digits, with a true minus sign. */
export function short(value: number): string {
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 0.001 || size >= 100_000)
      ? size.toExponential(1)
      : size >= 100
        ? size.toFixed(0)
        : size.toPrecision(3);
  return `${value < 0 ? "−" : ""}${size === 0 ? "0" : text}`;
}
