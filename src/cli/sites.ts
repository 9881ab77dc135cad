import { openFolder } from "#files";
import { readBlipConfig } from "../models/blip/config.ts";
import { dryForward } from "../models/blip/model.ts";
import { blipSites } from "../models/blip/vqa.ts";
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
    const json = (await folder.json("config.json")) as { model_type?: unknown } | null;
    if (json?.model_type !== "blip") {
      throw new UserError(
        `${args.positionals[0]}: is of type ${JSON.stringify(json?.model_type) ?? "nothing"}, expected "blip", the only one that is built`,
      );
    }
    const config = readBlipConfig(json);
    const tokens = wholeNumber(args, "tokens", 1) ?? 12;
    if (tokens > config.text.maxPositionEmbeddings) {
      throw new UserError(`--tokens: got ${tokens}, the model takes at most ${config.text.maxPositionEmbeddings}`);
    }
    const { shapes } = dryForward(config, tokens);
    const sites = blipSites(config);
    const patterns = args.value("sites")?.split(",").map(sitePattern);
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
