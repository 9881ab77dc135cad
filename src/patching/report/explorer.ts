/** The page's own script: choose a table, draw it, say what a cell holds. Put into the page by embed.ts. */

import { drawn, hideTip, pointAt, say, step } from "./cell-tip.ts";
import {
  type Column,
  combine,
  type Grid,
  groupsOf,
  type MeanTable,
  orderName,
  type RunTables,
  views,
  viewText,
} from "./grid.ts";
import { escapeText, heatMap } from "./heat-map.ts";
import { type Scale, scaleOf, short, type View } from "./palette.ts";

interface Choice {
  readonly task: string;
  readonly mode: string;
  /** One for each run. */
  readonly kinds: readonly string[];
  readonly group: string;
  readonly order: string;
  readonly column: Column;
  readonly view: View;
  readonly numbers: boolean;
}

const runs = JSON.parse(document.getElementById("tables")!.textContent!) as RunTables[];
const tables = runs.flatMap((run) => run.tables);
const form = document.getElementById("choice") as HTMLFormElement;

function choice(): Choice {
  const values = Object.fromEntries(new FormData(form)) as Record<string, string>;
  const kinds = runs.map((_, i) => values[`kind${i}`] ?? "");
  return { ...(values as unknown as Choice), kinds, numbers: values.numbers === "on" };
}

/** Fills a list of choices and keeps the one that was chosen, if it is still there. */
function offer(name: string, options: readonly (readonly [string, string])[], initial = options[0]?.[0] ?? ""): void {
  const list = form.elements.namedItem(name) as HTMLSelectElement;
  const before = list.value;
  list.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
  list.value = options.some(([value]) => value === before) ? before : initial;
}

const distinct = (values: readonly string[]) => [...new Set(values)].map((value) => [value, value] as const);

/** Offers what there is, from the left to the right. */
function offerAll(): void {
  offer("task", distinct(tables.map(({ task }) => task)));
  offer("mode", distinct(tables.filter(({ task }) => task === choice().task).map(({ mode }) => mode)));
  for (const [i, { tables }] of runs.entries()) {
    const here = tables.filter((table) => table.task === choice().task && table.mode === choice().mode);
    const withHeads = here.findLast(({ what }) => what === "heads")?.kind;
    offer(`kind${i}`, distinct(here.map(({ kind }) => kind)), withHeads);
  }
  const groups = tables.filter(({ task }) => task === choice().task).flatMap(groupsOf);
  offer("group", [
    ["all", "all groups"],
    ["each", "side by side"],
    ...distinct([...new Set(groups)].sort()).map(([group]) => [`=${group}`, group] as const),
  ]);
}

function draw(): void {
  offerAll();
  drawn.clear();
  hideTip();
  const now = choice();
  for (const [i, { tables }] of runs.entries()) {
    for (const what of views) {
      const place = document.getElementById(`${what}-${i}`);
      if (!place) continue;
      const kind = now.kinds[i]!;
      const table = tables.find(
        (one) => one.what === what && one.task === now.task && one.mode === now.mode && one.kind === kind,
      );
      if (table) drawTable(place, table, now);
      else
        place.innerHTML = `<p class="quiet">No ${viewText[what].missing} patched for ${escapeText(kind || `${now.task} in ${now.mode} corruption`)} in this run.</p>`;
    }
  }
}

function drawTable(place: HTMLElement, table: MeanTable, now: Choice): void {
  const chosen = now.order === "both" ? null : now.order === "first";
  const groups = now.group === "each" ? groupsOf(table) : [now.group === "all" ? null : now.group.slice(1)];
  const orders = now.group === "each" && chosen === null ? [true, false] : [chosen];
  const panels = groups.flatMap((group) =>
    orders.map((order) => ({ group, order, grid: combine(table, now.column, group, order) })),
  );
  const shared = scaleOf(
    now.column,
    now.view,
    panels.flatMap(({ grid }) => grid.rows.flatMap(({ values }) => values)),
  );
  place.classList.toggle("many", panels.length > 1);
  place.replaceChildren(
    ...panels.map(({ group, order, grid }) => {
      const figure = document.createElement("figure");
      const title = `${table.task} - ${group ?? "all groups"} - ${orderName(order)}`;
      if (grid.samples === 0) figure.innerHTML = `<p class="quiet">No data for ${escapeText(title)}.</p>`;
      const own =
        now.view === "paper"
          ? scaleOf(
              now.column,
              now.view,
              grid.rows.flatMap(({ values }) => values),
            )
          : shared;
      drawn.set(figure, { table, grid, column: now.column });
      if (grid.samples > 0) fill(figure, title, own, now);
      return figure;
    }),
  );
  for (const figure of place.querySelectorAll("figure")) drawAt(figure);
}

/** Draws once the figure stands in the page and its width is known. */
const pending = new Map<Element, (width: number) => void>();

function fill(figure: HTMLElement, title: string, scale: Scale, now: Choice): void {
  const { table, grid } = drawn.get(figure)!;
  const { x, y } = viewText[table.what];
  const subtitle = `${table.mode} corruption, ${table.kind}, mean of ${grid.samples} ${grid.samples === 1 ? "sample" : "samples"}`;
  const axes = { x, y };
  pending.set(figure, (width) => {
    figure.innerHTML = heatMap({
      title,
      subtitle,
      grid,
      across: table.across,
      axes,
      scale,
      width,
      numbers: now.numbers,
    });
    const svg = figure.querySelector("svg")!;
    svg.tabIndex = 0;
    figure.insertAdjacentHTML("beforeend", numbersTable(table, grid));
  });
}

function drawAt(figure: HTMLElement): void {
  pending.get(figure)?.(Math.max(240, Math.floor(figure.clientWidth)));
}

/** The same values for screen readers and for copying. */
function numbersTable(table: MeanTable, grid: Grid): string {
  const cell = (value: number | null) => `<td>${value === null ? "" : short(value)}</td>`;
  const head = `<tr><th scope="col">${viewText[table.what].y}</th>${table.across.map((number) => `<th scope="col">${number}</th>`).join("")}</tr>`;
  const rows = grid.rows.map(
    ({ label, values }) => `<tr><th scope="row">${escapeText(label)}</th>${values.map(cell).join("")}</tr>`,
  );
  return `<details><summary>Numbers</summary><div class="wide"><table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table></div></details>`;
}

form.addEventListener("change", draw);
document.addEventListener("pointerover", pointAt);
document.addEventListener("pointerdown", pointAt);
document.addEventListener("keydown", step);
document.addEventListener("focusin", (event) => {
  const figure = event.target instanceof SVGElement ? event.target.closest("figure") : null;
  if (figure?.contains(event.target as Node) && (event.target as Element).matches(":focus-visible")) say(figure, 0);
});
let lastWidth = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === lastWidth) return;
  lastWidth = innerWidth;
  for (const figure of drawn.keys()) drawAt(figure as HTMLElement);
});
draw();
