import { join } from "node:path";
import { mergeRuns } from "../patching/merge.ts";
import { plural } from "../patching/report/html.ts";
import { readSettings } from "../patching/settings.ts";
import type { Command } from "./command.ts";
import { picturesBeside } from "./report.ts";

export const command: Command = {
  positionals: ["RUN…"],
  options: { out: { value: "RUN", help: "the folder of the whole run", required: true } },
  notes: [
    "Joins the shards of one sweep (--shard i/n): the same bytes as if it had been run in one piece. Refuses other settings,",
    "and shards or samples that are missing or given twice. Needs no device.",
  ],
  async run(args) {
    const out = args.value("out")!;
    const { data } = await readSettings(args.positionals[0]!);
    const merged = await mergeRuns(args.positionals, out, picturesBeside(data.path));
    const { shards, records, failed } = merged;
    if (args.flag("json")) console.log(JSON.stringify({ run: out, ...merged }));
    else console.log(`${plural(records, "sweep")} of ${plural(shards, "shard")} in ${join(out, "report.html")}`);
    if (failed > 0)
      console.error(`${plural(failed, "sweep")} failed; the report says why, and the shards' commands try again`);
    return failed > 0 ? 1 : 0;
  },
};
