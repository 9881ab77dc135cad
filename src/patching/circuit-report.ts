/** circuits.html: which heads carry the answers, on one page that loads nothing; and the other files beside it. */
import { join } from "node:path";
import type { Circuit, HeadScore } from "./circuit.ts";
import { settingOf } from "./circuit-compare.ts";
import { type Circuits, circuitsCsv, universalOf } from "./circuit-document.ts";
import { circuitMap, gridOf, strengthName } from "./circuit-map.ts";
import { settingsSection, universalSection, waysSection } from "./circuit-sections.ts";
import { tipScript } from "./circuit-tip.ts";
import { writeBytes } from "./disk.ts";
import { pngOf } from "./report/figures.ts";
import { escapeText } from "./report/heat-map.ts";
import { paragraph, plural, section, table, whole } from "./report/html.ts";
import { page } from "./report/page.ts";
import { short } from "./report/palette.ts";
import { signed } from "./report/summary.ts";

/** Writes circuits.json, circuits.csv, circuits.html and figures/. */
export async function writeCircuits(folder: string, circuits: Circuits): Promise<void> {
  for (const circuit of circuits.circuits) {
    const svg = circuitMap(circuit, circuits.column, 640, true);
    const path = join(folder, "figures", figureName(circuit));
    await writeBytes(`${path}.svg`, svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '));
    await writeBytes(`${path}.png`, await pngOf(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')));
  }
  await writeBytes(join(folder, "circuits.csv"), circuitsCsv(circuits));
  await writeBytes(join(folder, "circuits.html"), circuitsPage(circuits));
  await writeBytes(join(folder, "circuits.json"), `${JSON.stringify(circuits, null, 2)}\n`);
}

const figureName = ({ task, mode, kind, direction, token }: Circuit): string =>
  ["circuit", task, mode, kind.replaceAll("*", "N"), direction, ...(token === "only" ? [token] : [])]
    .join("-")
    .replace(/[^\w.-]/g, (letter) => `~${letter.codePointAt(0)!.toString(16)}`);

export function circuitsPage(found: Circuits): string {
  const settings = found.circuits.map(({ task, mode }) => settingOf({ task, mode }));
  const subtitle = `${[...new Set(settings)].join(", ")}: ${found.column}, ${found.sigma} sigma, ${found.compat}`;
  return page(`Circuits of ${found.model.name}`, subtitle, [
    universalSection(found),
    mapsSection(found),
    headsSection(found),
    sensitivitySection(found),
    waysSection(found),
    settingsSection(found),
  ]);
}

const width = 340;
const looks = `<style>
#circuits { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 18px; align-items: start; }
#circuits svg { width: 100%; height: auto; }
#tip { white-space: pre-line; }
.of { white-space: nowrap; }
</style>`;

function mapsSection({ circuits, universal, column }: Circuits): string {
  const cells = circuits.map((circuit) => circuit.scores.map((one) => tip(one, universalOf(universal, circuit))));
  return section(
    "maps",
    "Maps",
    looks,
    paragraph(
      `Each cell is one head at ${circuits.every(({ token }) => token === "answer") ? "the correct answer’s token" : "the token that was swept"}: the ${strengthName(column)} over samples. Important heads are outlined. Point at a cell, tap it, or use the arrow keys.`,
      "quiet",
    ),
    `<div id="circuits">${circuits.map((circuit, i) => `<figure class="map" data-map="${i}" data-wide="${circuit.heads.length}">${circuitMap(circuit, column, width, false)}${numbers(circuit)}</figure>`).join("\n")}</div>`,
    '<div id="tip" role="status" hidden></div>',
    `<script type="application/json" id="cells">${JSON.stringify(cells).replaceAll("<", "\\u003c")}</script>\n<script>${tipScript}</script>`,
  );
}

const span = (interval: readonly [number, number] | null, show: (value: number) => string): string =>
  interval === null ? "" : `[${show(interval[0])}, ${show(interval[1])}]`;

const known = (value: number | null, show: (value: number) => string): string => (value === null ? "–" : show(value));

const percent = (share: number): string => `${Math.round(100 * share)} %`;

function tip(one: HeadScore, universal: readonly string[]): string {
  const marks = [
    ...(one.important ? ["important"] : []),
    ...(universal.includes(one.name) ? ["universal"] : []),
    ...(one.published ? ["published"] : []),
  ];
  return [
    [one.name, ...marks].join(", "),
    `strength ${known(one.strength, short)} ${span(one.strength_interval, short)}`,
    `mean ${known(one.mean, signed)} ${span(one.interval, signed)}`,
    `q ${known(one.q, short)}, n = ${one.n}`,
    `in both halves ${known(one.stability, percent)}`,
  ].join("\n");
}

/** The same values for screen readers and for copying. */
function numbers(circuit: Circuit): string {
  const head = `<tr><th scope="col">Layer</th>${circuit.heads.map((head) => `<th scope="col">${head}</th>`).join("")}</tr>`;
  const rows = gridOf(circuit).rows.map(
    ({ label, values }) =>
      `<tr><th scope="row">${label}</th>${values.map((value) => `<td>${known(value, short)}</td>`).join("")}</tr>`,
  );
  return `<details><summary>Numbers</summary><div class="wide"><table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table></div></details>`;
}

function headsSection(found: Circuits): string {
  const rows = found.circuits.flatMap((circuit) => {
    const everywhere = universalOf(found.universal, circuit);
    return circuit.scores
      .filter(({ important }) => important)
      .sort((a, b) => b.strength! - a.strength!)
      .map((one) => [
        ...[circuit.task, circuit.mode, circuit.kind, circuit.direction, one.name],
        [...(everywhere.includes(one.name) ? ["universal"] : []), ...(one.published ? ["published"] : [])].join(", "),
        withSpan(known(one.strength, short), span(one.strength_interval, short)),
        withSpan(known(one.mean, signed), span(one.interval, signed)),
        known(one.q, short),
        known(one.stability, percent),
        whole(one.n),
      ]);
  });
  return section(
    "heads",
    "Important heads",
    paragraph(
      `Strength is the ${strengthName(found.column)}, mean keeps the sign; in brackets 95 % bootstrap intervals over samples. q tests the mean against 0 with random signs, corrected for the number of heads (Benjamini and Hochberg). Halves: in how many of ${whole(found.splits)} random splits the head is important in both halves.`,
      "quiet",
    ),
    rows.length === 0
      ? paragraph("None.", "quiet")
      : table(
          [...["Task", "Corruption", "Kind", "Direction", "Head", ""], ...["Strength", "Mean", "q", "Halves", "n"]],
          rows,
          6,
        ),
  );
}

const withSpan = (value: string, interval: string) => ({
  html: `<span class="of">${escapeText(value)} <small>${escapeText(interval)}</small></span>`,
});

function sensitivitySection({ circuits }: Circuits): string {
  const sigmas = circuits[0]!.sensitivity.map(({ sigma }) => sigma);
  const rows = circuits.map((circuit) => [
    ...[circuit.task, circuit.mode, circuit.kind, circuit.direction],
    ...circuit.sensitivity.map(({ important }) =>
      important.length > 8 ? `${important.length} heads` : important.join(" ") || "none",
    ),
  ]);
  const stability = circuits.map((circuit) => [
    ...[circuit.task, circuit.mode, circuit.kind, circuit.direction],
    known(circuit.rank_correlation, short),
    known(circuit.threshold, short),
    ...[circuit.samples, circuit.missing].map(whole),
    Object.entries(circuit.left_out)
      .map(([reason, count]) => `${plural(count, "sample")}: ${reason}`)
      .join("; ") || "none",
  ]);
  return section(
    "sensitivity",
    "How firm the sets are",
    "<h3>Other thresholds</h3>",
    table(["Task", "Corruption", "Kind", "Direction", ...sigmas.map((sigma) => `${sigma} sigma`)], rows),
    "<h3>Halves of the samples, and what is missing</h3>",
    paragraph(
      "Rank correlation: Spearman’s, of the heads’ strengths in two random halves of the samples; 1 is the same order in both.",
      "quiet",
    ),
    table(
      [
        ...["Task", "Corruption", "Kind", "Direction"],
        ...["Rank correlation", "Threshold", "Samples", "Scores missing", "Samples left out"],
      ],
      stability,
    ),
  );
}
