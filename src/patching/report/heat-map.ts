/** A heat map as SVG text: for the page, where it takes the page's ink, and for files, which bring their own. */
import type { Grid } from "./grid.ts";
import { colourAt, inkOn, place, type Scale, short } from "./palette.ts";

export interface HeatMap {
  readonly title: string;
  readonly subtitle: string;
  readonly grid: Grid;
  readonly across: readonly number[];
  readonly axes: { readonly x: string; readonly y: string };
  readonly scale: Scale;
  readonly width: number;
  /** Write each value into its cell, where there is room. */
  readonly numbers?: boolean;
  /** For a file: white ground, dark ink. */
  readonly file?: boolean;
}

export function heatMap({ title, subtitle, grid, across, axes, scale, width, numbers, file }: HeatMap): string {
  const { rows } = grid;
  const letter = 6.5;
  const labels = Math.max(4, ...rows.map(({ label }) => label.length));
  const left = Math.min(22 + labels * letter, 0.36 * width);
  const right = 40;
  const under = wrapped(subtitle, (width - 8) / 6.6);
  const top = 44 + 15 * under.length;
  const cellWidth = Math.min(72, (width - left - right) / Math.max(1, across.length));
  const cellHeight = rows.length > 24 ? Math.max(1.5, 576 / rows.length) : 24;
  const [plotWidth, plotHeight] = [cellWidth * across.length, cellHeight * rows.length];
  const bottom = top + plotHeight;
  const height = Math.ceil(bottom + 92);
  const ink = file ? "#1d1b26" : "currentColor";
  const text = (x: number, y: number, words: string, more = "") =>
    `<text x="${fixed(x)}" y="${fixed(y)}"${more}>${escapeText(words)}</text>`;
  const size = (words: string, most: number) => fixed(Math.min(most, (width - 8) / (0.56 * words.length)));
  const every = Math.ceil(22 / cellWidth);
  const everyRow = Math.ceil(13 / cellHeight);
  const body = [
    text(4, 17, title, ` font-size="${size(title, 14.5)}" font-weight="600"`),
    ...under.map((line, i) => text(4, 35 + 15 * i, line, ` opacity="0.75"`)),
    text(left + plotWidth + 6, top - 7, "n", ` opacity="0.75" font-style="italic"`),
    text(left - 8, top - 7, axes.y, ` text-anchor="end" opacity="0.75" font-style="italic"`),
    ...rows.flatMap(({ label, values, counts }, r) => {
      const y = top + r * cellHeight;
      const middle = y + cellHeight / 2 + 4;
      const fits = Math.floor((left - 10) / letter);
      const shown = label.length > fits ? `${label.slice(0, fits - 1)}…` : label;
      const names =
        r % everyRow === 0
          ? [
              text(left - 8, middle, shown, ` text-anchor="end"`),
              text(left + plotWidth + 6, middle, range(counts), ` opacity="0.75"`),
            ]
          : [];
      return [...names, ...values.map((value, i) => cell(value, r * across.length + i, left + i * cellWidth, y))];
    }),
    ...across.flatMap((number, i) =>
      i % every === 0 ? [text(left + (i + 0.5) * cellWidth, bottom + 16, String(number), ` text-anchor="middle"`)] : [],
    ),
    text(left + plotWidth / 2, bottom + 32, axes.x, ` text-anchor="middle" opacity="0.75" font-style="italic"`),
    colourBar(),
  ];
  const ground = file ? `<rect width="${fixed(width)}" height="${height}" fill="#ffffff"/>` : "";
  return (
    `<svg width="${fixed(width)}" height="${height}" viewBox="0 0 ${fixed(width)} ${height}" role="img" aria-label="${escapeText(`${title}. ${subtitle}. ${scale.caption}`)}" ` +
    `font-family="'Open Sans', system-ui, sans-serif" font-size="12" fill="${ink}">${ground}${body.join("")}</svg>\n`
  );

  function cell(value: number | null, index: number, x: number, y: number): string {
    const gap = cellHeight > 8 ? 1 : 0;
    const box = `x="${fixed(x)}" y="${fixed(y)}" width="${fixed(cellWidth - gap)}" height="${fixed(cellHeight - gap)}" data-cell="${index}"`;
    if (value === null)
      return `<rect ${box} fill="${ink}" fill-opacity="0.06" stroke="${ink}" stroke-opacity="0.35" stroke-width="0.5" stroke-dasharray="2 2"/>`;
    const colour = colourAt(scale.anchors, place(scale, value));
    const number = short(value);
    const room = numbers && cellHeight >= 18 && cellWidth >= 6 * number.length + 2;
    const label = room
      ? text(
          x + (cellWidth - gap) / 2,
          y + cellHeight / 2 + 3.5,
          number,
          ` text-anchor="middle" font-size="10" fill="${inkOn(colour)}" pointer-events="none"`,
        )
      : "";
    return `<rect ${box} fill="${colour}"/>${label}`;
  }

  function colourBar(): string {
    const steps = 48;
    const length = Math.min(260, width - 24);
    const x = Math.max(12, Math.min(left, width - length - 12));
    const y = bottom + 44;
    const bars = Array.from({ length: steps }, (_, i) => {
      const colour = colourAt(scale.anchors, i / (steps - 1));
      return `<rect x="${fixed(x + (i * length) / steps)}" y="${fixed(y)}" width="${fixed(length / steps + 0.5)}" height="10" fill="${colour}"/>`;
    });
    const frame = `<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(length + 0.5)}" height="10" fill="none" stroke="${ink}" stroke-opacity="0.3" stroke-width="0.5"/>`;
    const zero =
      scale.low < 0 && scale.high > 0 && scale.ends[0] !== "0"
        ? text(x + length / 2, y + 23, "0", ` text-anchor="middle" font-size="11"`)
        : "";
    const caption = Math.min(11.5, (width - 8) / (0.53 * scale.caption.length));
    const captionAt = Math.min(x, Math.max(4, width - 4 - 0.53 * caption * scale.caption.length));
    return [
      ...bars,
      frame,
      text(x, y + 23, scale.ends[0], ` font-size="11"`),
      zero,
      text(x + length, y + 23, scale.ends[1], ` text-anchor="end" font-size="11"`),
      text(captionAt, y + 40, scale.caption, ` font-size="${fixed(caption)}" opacity="0.75"`),
    ].join("");
  }
}

/** Lines of at most so many letters, where commas and the points of a path allow it. */
function wrapped(words: string, letters: number): string[] {
  const lines: string[] = [];
  for (const part of words.split(/(?<=, |\.(?=\S))/)) {
    const longer = `${lines.at(-1) ?? ""}${part}`;
    if (lines.length > 0 && longer.trimEnd().length <= letters) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
}

/** The counts of a row: one number, or the smallest and the largest. */
export function range(counts: readonly number[]): string {
  const [low, high] = [Math.min(...counts), Math.max(...counts)];
  return low === high ? String(low) : `${low}–${high}`;
}

const fixed = (value: number): string => String(Math.round(value * 100) / 100);

export const escapeText = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
