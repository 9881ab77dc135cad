/** Which samples of a sharded sweep are still to be run. */
import { balanced, type DataRow, readDataFile } from "../data/samples.ts";
import { UserError } from "../models/errors.ts";
import { recordKey } from "./log.ts";
import type { Part } from "./merge.ts";
import type { RunSettings, Task } from "./record.ts";
import { shardOf } from "./shard.ts";

/** How many are named. */
const SHOWN = 20;

/** @throws UserError where a sample has no record, naming it as far as the data file is at hand */
export async function missingSweeps(parts: readonly Part[]): Promise<void> {
  const { settings, shard } = parts[0]!;
  const present = new Set(parts.flatMap(({ entries }) => entries.map(recordKey)));
  const expected = settings.data.samples * settings.modes.length;
  if (present.size === expected) return;
  if (present.size > expected)
    throw new UserError(
      `${parts.map(({ folder }) => folder).join(", ")}: hold ${present.size} sweeps, expected ${expected}; sweep them anew`,
    );
  const missing = (await chosenRows(parts)).flatMap(({ index, task, key }) =>
    settings.modes
      .filter((mode) => !present.has(recordKey({ sample: index, task, mode })))
      .map((mode) => `sample ${index}, ${mode} (shard ${shardOf(key, shard[1])})`),
  );
  const names = missing.slice(0, SHOWN).map((line) => `  ${line}\n`);
  const more = missing.length > SHOWN ? `  and ${missing.length - SHOWN} more\n` : "";
  throw new UserError(
    `${expected - present.size} of ${expected} sweeps are missing${names.length > 0 ? `:\n${names.join("")}${more}` : "; "}` +
      "give the command of their shards again, it goes on where it stopped",
  );
}

/** The rows that were to be swept: of the two choices there are the one that holds all that were; none without the file. */
async function chosenRows(parts: readonly Part[]): Promise<readonly DataRow[]> {
  const { data, tasks } = parts[0]!.settings;
  const rows = await rowsOf(data, tasks);
  const swept = new Set(parts.flatMap(({ entries }) => entries.map(({ sample }) => sample)));
  const choices = [rows.slice(0, data.samples), balanced(rows, data.samples)];
  return choices.find((choice) => [...swept].every((sample) => choice.some(({ index }) => index === sample))) ?? [];
}

async function rowsOf(data: RunSettings["data"], tasks: readonly Task[]): Promise<readonly DataRow[]> {
  try {
    const file = await readDataFile(data.path, tasks.length === 1 ? tasks[0] : undefined);
    return file.sha256 === data.sha256 ? file.rows : [];
  } catch (error) {
    if (error instanceof UserError) return [];
    throw error;
  }
}
