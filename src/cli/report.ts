import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { readRun, writeDerived } from "../patching/store.ts";
import type { Command } from "./command.ts";

export const command: Command = {
  positionals: ["RUN"],
  options: {},
  notes: [
    "Writes scores.npz, scores.csv, lens.csv, report.html and figures/ from run.json and results.jsonl alone, and overlays/",
    "where the run has overlays.jsonl. Needs no device.",
  ],
  async run(args) {
    const [folder] = args.positionals as [string];
    const { settings } = await readRun(folder);
    await writeDerived(folder, picturesBeside(settings.data.path));
    const files = {
      report: join(folder, "report.html"),
      csv: join(folder, "scores.csv"),
      npz: join(folder, "scores.npz"),
    };
    console.log(args.flag("json") ? JSON.stringify(files) : files.report);
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
