import { openFolder } from "#files";
import { readArchitecture } from "../models/architectures.ts";
import { UserError } from "../models/errors.ts";
import { fetchModel } from "../models/hub.ts";
import { matchSites, type Site, shownShape } from "../models/sites.ts";
import { sitePattern } from "../patching/kinds.ts";
import type { Command } from "./command.ts";
import { wholeNumber } from "./command.ts";
import { downloadPrinter } from "./download.ts";

export const command: Command = {
  positionals: ["MODEL"],
  options: {
    sites: { value: "'GLOB,…'", help: "only these; * is any run without a dot, ** any run" },
    tokens: { value: "N", help: "shapes for a question of N tokens (12)" },
  },
  notes: [
    "Needs no device. Each line: name, shape, axes; below it the formula, its place and the other accepted names.",
  ],
  async run(args, signal) {
    const folder = await openFolder(await fetchModel(args.positionals[0]!, { signal, onProgress: downloadPrinter() }));
    const { sites, maxTokens, dry } = readArchitecture(await folder.json("config.json"), args.positionals[0]!);
    const tokens = wholeNumber(args, "tokens", 1) ?? 12;
    if (tokens > maxTokens) throw new UserError(`--tokens: got ${tokens}, the model takes at most ${maxTokens}`);
    const { shapes } = dry(tokens);
    const asked = args.value("sites")?.split(",");
    const patterns = asked?.map((pattern) => sitePattern(pattern, sites));
    const wanted = patterns ? new Set(matchSites(sites, patterns).map(({ name }) => name)) : undefined;
    const shown = sites
      .filter(({ name, aliases }) => !wanted || wanted.has(name) || aliases.some((alias) => wanted.has(alias.name)))
      .map((site) => ({ ...site, shape: shownShape(site.axes, shapes.get(site.name)!) }));
    if (args.flag("json")) console.log(JSON.stringify(shown));
    else for (const site of shown) console.log(describe(site));
    return 0;
  },
};

function describe({ name, axes, shape, formula, norm, residual, aliases }: Site & { shape: number[] }): string {
  const place = [norm && `${norm} the norm`, residual && `${residual} the residual`].filter(Boolean).join(", ");
  const lines = [`${name}  [${shape.join(", ")}]  ${axes}`, `    ${formula}${place ? ` (${place})` : ""}`];
  if (aliases.length > 0) lines.push(`    also ${aliases.map((alias) => alias.name).join(", ")}`);
  return lines.join("\n");
}
