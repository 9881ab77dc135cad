/** Writes records one by one until it is done or its process is killed: for store.test.ts. */
import { fileURLToPath } from "node:url";
import { openRun } from "../../src/patching/store.ts";
import { records, settings } from "./synthetic.ts";

export async function write(folder: string, pause: number): Promise<void> {
  const run = await openRun(folder, settings());
  for (const record of records(3, 20, ["output"])) {
    if (run.done.has(`${record.sample}:${record.task}:${record.mode}`)) continue;
    await run.append(record);
    if (pause > 0) await new Promise((wake) => setTimeout(wake, pause));
  }
  await run.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await write(process.argv[2]!, 8);
