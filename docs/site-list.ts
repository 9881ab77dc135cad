/**
 * Writes the lists of sites into README.md, out of the declarations that the forwards run on.
 *
 *     npx tsx docs/site-list.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readArchitecture } from "../src/models/architectures.ts";

const readme = fileURLToPath(new URL("../README.md", import.meta.url));
const [start, end] = ["<!-- sites: made by docs/site-list.ts -->", "<!-- end of sites -->"];

/** Layer 0 stands for all layers, as N. */
function siteTable(title: string, model: string): string {
  const config = fileURLToPath(new URL(`../weights/miniature/${model}/config.json`, import.meta.url));
  const { sites } = readArchitecture(JSON.parse(readFileSync(config, "utf8")), model);
  const rows = sites
    .filter(({ name }) => !/\.layers?\.[1-9]/.test(name))
    .map(({ name, axes, formula, aliases }) => {
      const others = aliases.map((alias) => `\`${short(alias.name, name)}\``).join(" ");
      return `| \`${name.replace(/(layers?)\.0/, "$1.N")}\` | ${axes} | ${formula} | ${others} |`;
    });
  return [`### ${title}`, "", "| site | axes | what it is | also |", "|---|---|---|---|", ...rows].join("\n");
}

/** An alias without the layer that it shares with the site. */
function short(alias: string, name: string): string {
  const layer = name.match(/^.*\.layers?\.0(?=\.|$)/)?.[0];
  return layer !== undefined && alias.startsWith(layer) ? `…N${alias.slice(layer.length)}` : alias;
}

/** README.md with the lists as they should be. */
export function readmeWithSites(): string {
  const text = readFileSync(readme, "utf8");
  const [before, after] = [text.split(start)[0]!, text.split(end)[1]!];
  const tables = [siteTable("BLIP", "blip"), siteTable("LLaVA", "llava")].join("\n\n");
  return `${before}${start}\n${tables}\n${end}${after}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(readme, readmeWithSites());
