/** Small pieces of HTML. */
import { escapeText } from "./heat-map.ts";
import { short } from "./palette.ts";

/** Text with its special characters escaped, or HTML that already is. */
export type Cell = string | number | { readonly html: string };

const cellHtml = (cell: Cell): string =>
  typeof cell === "object" ? cell.html : typeof cell === "number" ? short(cell) : escapeText(cell);

/** Numbers stand at the right; so do texts in the columns from `numeric` on. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[], numeric = head.length): string {
  const at = (i: number) => (i >= numeric ? ' class="number"' : "");
  const line = (cells: readonly Cell[]) =>
    `<tr>${cells.map((cell, i) => `<td${at(i)}>${cellHtml(cell)}</td>`).join("")}</tr>`;
  return (
    `<div class="wide"><table><thead><tr>${head.map((name, i) => `<th scope="col"${at(i)}>${escapeText(name)}</th>`).join("")}</tr></thead>` +
    `<tbody>${rows.map(line).join("\n")}</tbody></table></div>`
  );
}

export const paragraph = (text: string, kind = ""): string =>
  `<p${kind ? ` class="${kind}"` : ""}>${escapeText(text)}</p>`;

export const section = (id: string, title: string, ...body: string[]): string =>
  `<section aria-labelledby="${id}-title"><h2 id="${id}-title">${escapeText(title)}</h2>\n${body.join("\n")}\n</section>`;

/** Those that are not empty, with commas. */
export const listed = (...parts: readonly string[]): string => parts.filter((part) => part !== "").join(", ");

/** `1 sample`, `2 samples`, with groups of three digits that no line break parts. */
export const plural = (count: number, thing: string): string => `${whole(count)} ${thing}${count === 1 ? "" : "s"}`;

export const whole = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
