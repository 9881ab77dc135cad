/** The shards of a sweep joined into the run that they would have been in one piece. */
import { join } from "node:path";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { inOrder, type LogEntry, readEntries, recordKey, scanLog } from "./log.ts";
import { missingSweeps } from "./merge-missing.ts";
import type { RunRecord, RunSettings } from "./record.ts";
import { readSettings, settingsDifference } from "./settings.ts";
import { type Shard, shardOf } from "./shard.ts";
import { openRun, type Pictures, type Run } from "./store.ts";

export interface Part {
  readonly folder: string;
  readonly settings: RunSettings;
  readonly shard: Shard;
  readonly entries: readonly LogEntry[];
}

export interface Merged {
  readonly shards: number;
  /** Records of samples and modes, and how many of these failed. */
  readonly records: number;
  readonly failed: number;
}

/**
 * Writes into `out` the settings, records and files of the unsharded run.
 * @throws UserError for other settings, a shard or a sample that is missing or given twice, a run of other numbers in `out`
 */
export async function mergeRuns(folders: readonly string[], out: string, pictures: Pictures): Promise<Merged> {
  const parts = await readParts(folders);
  await checkRecords(parts);
  await missingSweeps(parts);
  const settings: RunSettings = { ...parts[0]!.settings, shard: null };
  const run = await openRun(out, settings);
  try {
    const places = parts
      .flatMap((part) => part.entries.map((entry) => ({ part, entry })))
      .sort((a, b) => asSwept(settings, a.entry, b.entry));
    const stored = await storedHashes(run);
    for (const { part, entry } of places) {
      const [record] = await recordsOf(part, [entry]);
      await append(run, record!, part, stored);
    }
    await run.finish(pictures);
    return { shards: parts.length, records: places.length, failed: places.filter(({ entry }) => entry.failed).length };
  } finally {
    await run.close();
  }
}

/** A sweep goes through the samples, and in each through the modes as they were given. */
function asSwept({ modes }: RunSettings, a: LogEntry, b: LogEntry): number {
  return a.sample - b.sample || modes.indexOf(a.mode) - modes.indexOf(b.mode) || inOrder(a, b);
}

/** In the order of the shards. */
async function readParts(folders: readonly string[]): Promise<Part[]> {
  const parts: Part[] = [];
  for (const folder of folders) {
    const settings = await readSettings(folder);
    const { shard } = settings;
    if (shard === null)
      throw new UserError(
        `${folder}: is a whole run, expected shards of one; give only folders of sweeps with --shard`,
      );
    parts.push({ folder, settings, shard, entries: (await scanLog(join(folder, "results.jsonl"))).entries });
  }
  checkSettings(parts);
  await checkShards(parts);
  return parts.sort((a, b) => a.shard[0] - b.shard[0]);
}

function checkSettings([first, ...others]: readonly Part[]): void {
  const whole = ({ settings, shard }: Part): RunSettings => ({ ...settings, shard: [0, shard[1]] });
  for (const part of others) {
    const difference = settingsDifference(whole(first!), whole(part));
    if (difference.length === 0) continue;
    throw new UserError(
      `${part.folder}: has other settings than ${first!.folder} (there -> here):\n${difference.map((line) => `  ${line}\n`).join("")}` +
        "merge only shards of one sweep",
    );
  }
}

async function checkShards(parts: readonly Part[]): Promise<void> {
  const [, count] = parts[0]!.shard;
  for (const [i, part] of parts.entries()) {
    const other = parts.slice(0, i).find(({ shard }) => shard[0] === part.shard[0]);
    if (other)
      throw new UserError(
        `shard ${part.shard[0]} of ${count} is given twice, as ${other.folder} and ${part.folder}: ${await comparison(other, part)}; give one of them`,
      );
  }
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !parts.some(({ shard }) => shard[0] === i));
  if (missing.length > 0)
    throw new UserError(
      `${missing.length === 1 ? "shard" : "shards"} ${missing.join(", ")} of ${count} ${missing.length === 1 ? "is" : "are"} missing; ` +
        "give the folders of all, and sweep those that were not",
    );
}

/** How the numbers of two folders for one shard differ. */
async function comparison(a: Part, b: Part): Promise<string> {
  const known = new Map(a.entries.map((entry) => [recordKey(entry), entry]));
  for (const entry of b.entries) {
    const other = known.get(recordKey(entry));
    if (!other) continue;
    const [[left], [right]] = await Promise.all([recordsOf(a, [other]), recordsOf(b, [entry])]);
    if (hashOfRecord(left!) !== hashOfRecord(right!)) return `they differ in sample ${entry.sample}, ${entry.mode}`;
  }
  return a.entries.length === b.entries.length ? "they hold the same" : "one holds more than the other";
}

/** Every record stands in the shard that its sample belongs to. */
async function checkRecords(parts: readonly Part[]): Promise<void> {
  for (const { folder, shard, entries } of parts) {
    for await (const { key, sample } of readEntries(join(folder, "results.jsonl"), entries)) {
      const own = shardOf(key, shard[1]);
      if (own !== shard[0])
        throw new UserError(
          `${folder}: holds sample ${sample} of shard ${own}, expected only those of shard ${shard.join("/")}; sweep it anew`,
        );
    }
  }
}

async function recordsOf({ folder }: Part, entries: readonly LogEntry[]): Promise<RunRecord[]> {
  const records: RunRecord[] = [];
  for await (const record of readEntries(join(folder, "results.jsonl"), entries)) records.push(record);
  return records;
}

const hashOfRecord = (record: RunRecord): string => hashOf(JSON.stringify(record));

/** What an earlier merge has written. */
async function storedHashes({ folder }: Run): Promise<Map<string, string>> {
  const log = join(folder, "results.jsonl");
  const hashes = new Map<string, string>();
  for await (const record of readEntries(log, (await scanLog(log)).entries))
    hashes.set(recordKey(record), hashOfRecord(record));
  return hashes;
}

/** A success takes the place of a failure, never the other way round. */
async function append(run: Run, record: RunRecord, { folder }: Part, stored: ReadonlyMap<string, string>) {
  const known = stored.get(recordKey(record));
  const succeeded = run.done.has(recordKey(record));
  if (known === hashOfRecord(record) || (succeeded && "failed" in record)) return;
  if (succeeded)
    throw new UserError(
      `${run.folder}: holds other numbers for sample ${record.sample}, ${record.mode}, than ${folder}; choose another folder`,
    );
  await run.append(record);
}
