/** What a cell of a drawn heat map holds, said beside it: for the pointer, a finger and the arrow keys. */
import { type Column, type Grid, type MeanTable, viewText } from "./grid.ts";
import { escapeText } from "./heat-map.ts";

/** What is drawn in one figure, to answer for its cells. */
export interface Drawn {
  readonly table: MeanTable;
  readonly grid: Grid;
  readonly column: Column;
}

/** By its figure. */
export const drawn = new Map<Element, Drawn>();

const tip = document.getElementById("tip")!;

export function hideTip(): void {
  tip.hidden = true;
  for (const marked of document.querySelectorAll("[data-cell].on")) marked.classList.remove("on");
}

/** Says what a cell holds, beside it. */
export function say(figure: Element, index: number): void {
  const { table, grid, column } = drawn.get(figure)!;
  const rect = figure.querySelector(`[data-cell="${index}"]`);
  if (!rect) return;
  hideTip();
  rect.classList.add("on");
  const [r, i] = [Math.floor(index / table.across.length), index % table.across.length];
  const row = grid.rows[r]!;
  const value = row.values[i]!;
  const { x, y } = viewText[table.what];
  const first = table.what === "tokens" ? row.label : `${y.toLowerCase()} ${row.label}`;
  const where = `${first}, ${x.toLowerCase()} ${table.across[i]}`;
  const sites = { tokens: table.sites[i], patches: "", heads: table.sites[r], last: table.sites[r] };
  const said = value === null ? "no value" : `${column} ${value < 0 ? "−" : ""}${Math.abs(value).toPrecision(4)}`;
  tip.innerHTML = `<b>${escapeText(where)}</b><br>${said}<br>n = ${row.counts[i]}<br><small>${escapeText(sites[table.what] ?? "")}</small>`;
  tip.hidden = false;
  const box = rect.getBoundingClientRect();
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = `${Math.max(8, Math.min(room, box.left + box.width / 2 - tip.offsetWidth / 2)) + scrollX}px`;
  const above = box.top - tip.offsetHeight - 8;
  tip.style.top = `${(above > 0 ? above : box.bottom + 8) + scrollY}px`;
}

function cellOf(target: EventTarget | null): { figure: Element; index: number } | null {
  const rect = target instanceof Element ? target.closest("[data-cell]") : null;
  const figure = rect?.closest("figure");
  return rect && figure ? { figure, index: Number(rect.getAttribute("data-cell")) } : null;
}

export function pointAt(event: Event): void {
  const cell = cellOf(event.target);
  if (cell) say(cell.figure, cell.index);
  else hideTip();
}

export function step(event: KeyboardEvent): void {
  if (event.key === "Escape") hideTip();
  const figure = event.target instanceof SVGElement ? event.target.closest("figure") : null;
  const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!figure || !move) return;
  event.preventDefault();
  const { table, grid } = drawn.get(figure)!;
  const now = figure.querySelector("[data-cell].on")?.getAttribute("data-cell") ?? 0;
  const wide = table.across.length;
  const bounded = (value: number, count: number) => Math.min(count - 1, Math.max(0, value));
  const [r, i] = [
    bounded(Math.floor(Number(now) / wide) + move[0]!, grid.rows.length),
    bounded((Number(now) % wide) + move[1]!, wide),
  ];
  say(figure, r * wide + i);
}
