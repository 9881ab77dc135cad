/** One page of several runs, of one model or of several. */
import { resolve } from "node:path";
import { UserError } from "../models/errors.ts";
import { writeBytes } from "./disk.ts";
import { readOverlays } from "./overlay-store.ts";
import type { RunSettings } from "./record.ts";
import { gather, type Reported } from "./report/reported.ts";
import { reportPage } from "./report.ts";
import { readSettings } from "./settings.ts";
import { type Pictures, recordsOf } from "./store.ts";

/**
 * Writes the page from the runs' run.json, results.jsonl and overlays.jsonl alone. Needs no lock.
 * @throws UserError where a folder is given twice, holds no run or a damaged one
 */
export async function writeSideBySide(
  path: string,
  folders: readonly string[],
  picturesOf: (settings: RunSettings) => Pictures,
): Promise<void> {
  const twice = folders.find((folder, i) => folders.findIndex((other) => resolve(other) === resolve(folder)) < i);
  if (twice !== undefined) throw new UserError(`report: the run ${twice} is given twice; give each run once`);
  const settings = await Promise.all(folders.map(readSettings));
  const names = settings.map(({ model }) => model.name);
  const runs: Reported[] = [];
  for (const [i, folder] of folders.entries()) {
    const own = settings[i]!;
    const gathering = gather(own);
    for await (const record of recordsOf(folder)) gathering.add(record);
    const isOnly = names.filter((name) => name === names[i]).length === 1;
    const name = isOnly ? own.model.name : `${own.model.name} (${folder})`;
    runs.push(gathering.reported(picturesOf(own), await readOverlays(folder), name));
  }
  await writeBytes(path, await reportPage(runs));
}
