import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { UserError } from "../models/errors.ts";
import { type ExportFormat, exportFormats, exportScores } from "../patching/export.ts";
import { writeSideBySide } from "../patching/side-by-side.ts";
import { readRun, writeDerived } from "../patching/store.ts";
import { type Command, someOf } from "./command.ts";

export const command: Command = {
  positionals: ["RUN…"],
  options: {
    out: { value: "FILE.html", help: "with two or more runs: one page that shows them side by side" },
    export: {
      value: "F,…",
      help: "also write the scores as scores.safetensors, scores.json: safetensors, json, or both",
    },
  },
  notes: [
    "Writes scores.npz, scores.csv, lens.csv, report.html and figures/ from run.json and results.jsonl alone, and overlays/",
    "where the run has overlays.jsonl. scores.safetensors holds the arrays of scores.npz, names as JSON in its metadata;",
    "scores.json is a list of the rows of scores.csv, null for what is empty. Of two or more runs, of any models, it writes",
    "only the page. Needs no device.",
  ],
  async run(args) {
    const [folder, ...others] = args.positionals as [string, ...string[]];
    const out = args.value("out");
    const formats = args.value("export") === undefined ? [] : someOf(args, "export", exportFormats);
    if (out === undefined && others.length > 0)
      throw new UserError(
        `report: got ${others.length + 1} runs, expected --out FILE.html for the page that shows them`,
      );
    if (out !== undefined && others.length === 0)
      throw new UserError(
        `report: got --out with one run, whose report is ${join(folder, "report.html")}; leave --out away`,
      );
    if (out !== undefined && formats.length > 0)
      throw new UserError("report: got --export with --out, expected one of them: scores are exported run by run");
    if (out !== undefined) {
      await writeSideBySide(out, args.positionals, ({ data }) => picturesBeside(data.path));
      console.log(args.flag("json") ? JSON.stringify({ report: out }) : out);
      return 0;
    }
    const { settings } = await readRun(folder);
    await writeDerived(folder, picturesBeside(settings.data.path));
    const exported: [ExportFormat, string][] = [];
    for (const format of formats) exported.push([format, await exportScores(folder, format)]);
    const files = {
      report: join(folder, "report.html"),
      csv: join(folder, "scores.csv"),
      npz: join(folder, "scores.npz"),
      ...Object.fromEntries(exported),
    };
    if (args.flag("json")) console.log(JSON.stringify(files));
    else console.log([files.report, ...exported.map(([, path]) => path)].join("\n"));
    return 0;
  },
};

/** Pictures by the paths that a data file writes: relative to its folder, or absolute. */
export function picturesBeside(dataFile: string) {
  const folder = dirname(dataFile);
  return async (path: string): Promise<Uint8Array | null> => {
    try {
      return await readFile(isAbsolute(path) ? path : join(folder, path));
    } catch {
      return null; // the report says that the picture is missing
    }
  };
}
