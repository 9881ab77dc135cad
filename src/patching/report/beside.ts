/** Runs side by side: what each has to say, alone as it is, with others in a column under its name. */
import { escapeText } from "./heat-map.ts";
import { listed, paragraph, section } from "./html.ts";
import type { Reported } from "./reported.ts";

export const beside = (cells: readonly string[]): string => `<div class="beside">${cells.join("\n")}</div>`;

/** A section that every run fills; "" where none does. */
export function each(
  id: string,
  title: string,
  runs: readonly Reported[],
  body: (run: Reported) => string,
  intro = "",
): string {
  const bodies = runs.map(body);
  if (bodies.every((html) => html === "")) return "";
  if (runs.length === 1) return section(id, title, intro, bodies[0]!);
  const columns = runs.map(
    ({ name }, i) => `<div>${runHeading(name)}${bodies[i] || paragraph("None.", "quiet")}</div>`,
  );
  return section(id, title, intro, beside(columns));
}

const runHeading = (name: string): string => `<h3 class="run">${escapeText(name)}</h3>`;

/** Things of one run one after the other; of several in rows, those with one key in a row. */
export function inRows(runs: readonly ReadonlyMap<string, string>[]): string {
  const keys = [...new Set(runs.flatMap((things) => [...things.keys()]))];
  if (runs.length === 1) return `<div class="many">${keys.map((key) => runs[0]!.get(key)).join("\n")}</div>`;
  const nothing = `<div class="nothing">${paragraph("None in this run.", "quiet")}</div>`;
  return keys.map((key) => beside(runs.map((things) => things.get(key) ?? nothing))).join("\n");
}

/** Goes before a title where there are several runs. */
export const nameBefore = (runs: readonly Reported[], { name }: Pick<Reported, "name">, then: string): string =>
  runs.length === 1 ? then : listed(name, then);
