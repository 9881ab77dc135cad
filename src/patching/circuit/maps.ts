/** The maps of circuits.html, which say what a cell holds. */
import type { Circuit, HeadScore } from "../circuit.ts";
import { paragraph, section } from "../report/html.ts";
import { howToPoint } from "../report/page.ts";
import { short } from "../report/palette.ts";
import { signed } from "../report/summary.ts";
import { type Circuits, universalOf } from "./document.ts";
import { known, marksOf, percent, span } from "./format.ts";
import { circuitMap, gridOf, strengthName } from "./map.ts";
import { tipScript } from "./tip.ts";

const width = 340;
const looks = `<style>
#circuits { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 18px; align-items: start; }
#circuits svg { width: 100%; height: auto; }
@media print { #circuits { grid-template-columns: repeat(3, 1fr); gap: 10px; } }
#tip { white-space: pre-line; }
.of { white-space: nowrap; }
</style>`;

export function mapsSection({ circuits, universal, column }: Circuits): string {
  const cells = circuits.map((circuit) => circuit.scores.map((one) => tip(one, universalOf(universal, circuit))));
  return section(
    "maps",
    "Maps",
    looks,
    paragraph(
      `Each cell is one head at ${circuits.every(({ token }) => token === "answer") ? "the correct answer’s token" : "the token that was swept"}: the ${strengthName(column)} over samples. Important heads are outlined.`,
      "quiet",
    ),
    howToPoint,
    `<div id="circuits">${circuits.map((circuit, i) => `<figure class="map" data-map="${i}" data-wide="${circuit.heads.length}">${circuitMap(circuit, column, width, false)}${numbers(circuit)}</figure>`).join("\n")}</div>`,
    '<div id="tip" role="status" hidden></div>',
    `<script type="application/json" id="cells">${JSON.stringify(cells).replaceAll("<", "\\u003c")}</script>\n<script>${tipScript}</script>`,
  );
}

function tip(one: HeadScore, universal: readonly string[]): string {
  return [
    [one.name, ...(one.important ? ["important"] : []), ...marksOf(one, universal)].join(", "),
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
