/** circuits.html: which heads carry the answers, on one page that loads nothing; and the other files beside it. */
import { join } from "node:path";
import { settingOf } from "./circuit/compare.ts";
import { type Circuits, circuitsCsv } from "./circuit/document.ts";
import { circuitMap } from "./circuit/map.ts";
import { mapsSection } from "./circuit/maps.ts";
import { settingsSection, universalSection, waysSection } from "./circuit/sections.ts";
import { headsSection, sensitivitySection } from "./circuit/tables.ts";
import type { Circuit } from "./circuit.ts";
import { writeBytes } from "./disk.ts";
import { pngOf } from "./report/figures.ts";
import { page } from "./report/page.ts";

/** Writes circuits.json, circuits.csv, circuits.html and figures/. */
export async function writeCircuits(folder: string, circuits: Circuits): Promise<void> {
  for (const circuit of circuits.circuits) {
    const map = circuitMap(circuit, circuits.column, 640, true);
    const svg = map.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ');
    const path = join(folder, "figures", figureName(circuit));
    await writeBytes(`${path}.svg`, svg);
    await writeBytes(`${path}.png`, await pngOf(svg));
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
