/** The parts of the report put together into one file that loads nothing. */
import { beside } from "./beside.ts";
import { figure } from "./figures.ts";
import { columns, type RunTables, views, viewText } from "./grid.ts";
import { escapeText } from "./heat-map.ts";
import { paragraph, section } from "./html.ts";
import { pageScript } from "./page.gen.ts";
import { style } from "./style.ts";

/** What the page may do: show what it holds. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

export function page(title: string, subtitle: string, sections: readonly string[]): string {
  const links = [...sections.join("").matchAll(/<h2 id="([\w-]+)">([^<]*)</g)].map(
    ([, id, name]) => `<a href="#${id}">${name}</a>`,
  );
  return [
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeText(title)}</title>`,
    `<style>${style}</style></head><body><main>`,
    `<header><h1>${escapeText(title)}</h1>${paragraph(subtitle)}<nav aria-label="Sections">${links.join("")}</nav></header>`,
    ...sections.filter((html) => html !== ""),
    "</main></body></html>\n",
  ].join("\n");
}

export const howToPoint = paragraph("Point at a cell, tap it, or use the arrow keys.", "quiet screen");

const withoutScript = "<style>#choice, .maps { display: none } noscript svg { max-width: 100%; height: auto }</style>";

/** All of them at once, for a page without scripts. */
function stills(runs: readonly RunTables[]): string {
  const drawn = runs.map(({ tables }) =>
    tables.map((table) => figure(table, "logit_diff", "raw", { file: false })).join("\n"),
  );
  if (runs.length === 1) return drawn[0]!;
  return beside(runs.map(({ name }, i) => `<div><h3>${escapeText(name)}</h3>${drawn[i]}</div>`));
}

/** Heat maps of tokens and of heads, redrawn at each choice; without scripts all of them once. A column for each run. */
export function mapsSection(runs: readonly RunTables[]): string {
  const tables = runs.flatMap((run) => run.tables);
  const alone = runs.length === 1;
  if (tables.length === 0) return section("maps", "Heat maps", paragraph("No sample was finished.", "quiet"));
  const options = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([value, name]) => `<option value="${value}">${name}</option>`).join("");
  const select = (name: string, label: string, inner = "") =>
    `<label>${label}<select name="${name}">${inner}</select></label>`;
  const always: readonly string[] = ["tokens", "heads"];
  const shown = views.filter((what) => always.includes(what) || tables.some((table) => table.what === what));
  const json = JSON.stringify(runs.map(({ name, tables }) => ({ name, tables }))).replaceAll("<", "\\u003c");
  const place = (what: (typeof views)[number]) =>
    runs.map(({ name }, i) => {
      const title = alone ? viewText[what].title : `${escapeText(name)} <small>${viewText[what].title}</small>`;
      return `<div><h3>${title}</h3><div id="${what}-${i}" class="map"></div></div>`;
    });
  const scales = alone ? "" : " Each model has its own colours: look at the numbers below each bar before you compare.";
  return section(
    "maps",
    "Heat maps",
    paragraph(
      "Each cell is a mean over samples of one patched value. Rows are the words of the prompt by their role, each at its last piece; n counts the samples that have the row." +
        scales,
      "quiet",
    ),
    howToPoint,
    `<form id="choice" aria-label="What the heat maps show">${[
      select("task", "Task"),
      select("mode", "Corruption"),
      ...runs.map(({ name }, i) => select(`kind${i}`, alone ? "Kind" : `Kind, ${escapeText(name)}`)),
      select("group", "Group"),
      select(
        "order",
        "Order",
        options([
          ["both", "both orders"],
          ["first", "Correct First"],
          ["second", "Incorrect First"],
        ]),
      ),
      select(
        "column",
        "Score",
        options(
          [...columns]
            .sort((a, b) => Number(b === "logit_diff") - Number(a === "logit_diff"))
            .map((name) => [name, name]),
        ),
      ),
      select(
        "view",
        "View",
        options([
          ["raw", "raw"],
          ["paper", "paper"],
        ]),
      ),
      '<label class="tick"><input type="checkbox" name="numbers">numbers</label>',
    ].join("\n")}</form>`,
    alone
      ? `<div class="maps">${shown.flatMap(place).join("")}</div>`
      : `<div class="maps together">${shown.map((what) => beside(place(what))).join("")}</div>`,
    '<div id="tip" role="status" hidden></div>',
    `<noscript>${withoutScript}${stills(runs)}</noscript>`,
    `<script type="application/json" id="tables">${json}</script>\n<script>${pageScript}</script>`,
  );
}
