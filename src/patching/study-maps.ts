/** The maps of a study: layers down, heads across, one for each task and corruption. */
import { circuitMap, strengthName } from "./circuit/map.ts";
import { paragraph, section } from "./report/html.ts";
import type { ModelStudy } from "./study.ts";
import { groupOf, heading } from "./study-heads.ts";

const looks = `<style>
.study { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 14px; align-items: start; }
.study svg { width: 100%; height: auto; }
.study [data-cell] { cursor: auto; }
@media print { .study { grid-template-columns: repeat(3, 1fr); gap: 10px; } }
</style>`;

/** A row of tasks for each corruption. */
export function mapsSection(models: readonly ModelStudy[]): string {
  const parts = models.flatMap(({ name, circuits }) => {
    if ("none" in circuits) return [];
    const { found } = circuits;
    return found.universal.flatMap((universal) => {
      const circuits = groupOf(found, universal).toSorted((a, b) => Number(a.mode > b.mode) - Number(a.mode < b.mode));
      const maps = circuits.map(
        (circuit) => `<figure class="map">${circuitMap(circuit, found.column, 280, false)}</figure>`,
      );
      const title = models.length > 1 ? `${name}, ${universal.kind}` : universal.kind;
      return [heading(title), `<div class="study">${maps.join("\n")}</div>`];
    });
  });
  const column = models.flatMap(({ circuits }) => ("found" in circuits ? [circuits.found.column] : []))[0];
  if (column === undefined) return "";
  return section(
    "maps",
    "Maps",
    looks,
    paragraph(
      `Each cell is one head: the ${strengthName(column)} over samples. Important heads are outlined.`,
      "quiet",
    ),
    ...parts,
  );
}
