/** A line chart of the clean and the corrupt run by layer, as SVG that takes the page's colours. */
import { escapeText } from "./heat-map.ts";
import { short } from "./palette.ts";

/** A value for each layer. */
export interface Lines {
  readonly clean: readonly number[];
  readonly corrupt: readonly number[];
}

export interface LineChart {
  readonly title: string;
  readonly about: string;
  readonly lines: Lines;
  /** The lowest value of the axis, or null for the smallest value, with zero in sight. */
  readonly floor: number | null;
}

const [width, height] = [400, 176];
const [left, top, right, bottom] = [44, 26, 62, 34];

export function lineChart({ title, about, lines, floor }: LineChart): string {
  const all = [...lines.clean, ...lines.corrupt, 0];
  const ticks = ticksOf(floor ?? Math.min(...all), Math.max(...all));
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  const layers = lines.clean.length;
  const x = (layer: number) => left + (layer * (width - left - right)) / Math.max(1, layers - 1);
  const y = (value: number) => top + ((high - value) * (height - top - bottom)) / (high - low);
  const text = (at: number, down: number, words: string, more = "") =>
    `<text x="${fixed(at)}" y="${fixed(down)}"${more}>${escapeText(words)}</text>`;
  const every = Math.ceil(layers / 16);
  const ends = labels(y(lines.clean.at(-1)!), y(lines.corrupt.at(-1)!));
  const run = (name: keyof Lines) => {
    const points = lines[name].map((value, layer) => `${fixed(x(layer))},${fixed(y(value))}`);
    const dots = lines[name].map(
      (value, layer) =>
        `<circle cx="${fixed(x(layer))}" cy="${fixed(y(value))}" r="3"><title>${name}, layer ${layer}: ${short(value)}</title></circle>`,
    );
    const label = text(x(layers - 1) + 9, ends[name] + 4, name, ' class="name"');
    return `<g class="${name}"><polyline points="${points.join(" ")}"/>${dots.join("")}${label}</g>`;
  };
  const said = (name: keyof Lines) => `${name} ${lines[name].map(short).join(", ")}`;
  return [
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(`${title} by layer. ${about}: ${said("clean")}; ${said("corrupt")}`)}" font-size="11" fill="currentColor">`,
    text(4, 14, title, ' font-size="12" font-weight="600"'),
    ...ticks.map(
      (tick) =>
        `<line x1="${left}" x2="${width - right}" y1="${fixed(y(tick))}" y2="${fixed(y(tick))}" class="${tick === 0 ? "zero" : "rule"}"/>${text(left - 7, y(tick) + 4, tick === 0 ? "0" : plain(tick), ' text-anchor="end" opacity="0.75"')}`,
    ),
    ...lines.clean.map((_, layer) =>
      layer % every === 0
        ? text(x(layer), height - bottom + 17, String(layer), ' text-anchor="middle" opacity="0.75"')
        : "",
    ),
    text(width - right + 9, height - bottom + 17, "Layer", ' opacity="0.75" font-style="italic"'),
    run("corrupt"),
    run("clean"),
    "</svg>",
  ].join("");
}

/** Round numbers around a range: three to six of them. */
function ticksOf(low: number, high: number): number[] {
  const span = high - low || 1;
  const unit = 10 ** Math.floor(Math.log10(span));
  const step = [0.2, 0.25, 0.5, 1, 2, 2.5].map((part) => part * unit).find((size) => span / size <= 4.5) ?? 5 * unit;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

const plain = (tick: number): string => `${tick < 0 ? "−" : ""}${Number(Math.abs(tick).toPrecision(3))}`;

/** Where the lines' names stand: beside their ends, but not upon each other. */
function labels(clean: number, corrupt: number): Record<keyof Lines, number> {
  const apart = 13;
  if (Math.abs(clean - corrupt) >= apart) return { clean, corrupt };
  const middle = Math.min(height - bottom - apart, Math.max(top + apart / 2, (clean + corrupt) / 2));
  const up = clean <= corrupt ? -apart / 2 : apart / 2;
  return { clean: middle + up, corrupt: middle - up };
}

const fixed = (value: number): string => String(Math.round(value * 100) / 100);
