/** A run on disk: settings once, records appended, everything else derived from these two. */
import { existsSync, statSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../models/errors.ts";
import { syncFolder } from "../models/files.node.ts";
import { csvWriter } from "./csv.ts";
import { diskError, writeBytes, writeWhole } from "./disk.ts";
import { lensTable } from "./lens-csv.ts";
import { takeLock } from "./lock.ts";
import { type LogEntry, readEntries, recordKey, scanLog, seal } from "./log.ts";
import { npzBytes } from "./npz.ts";
import { readOverlays } from "./overlay-store.ts";
import type { RunRecord, RunSettings } from "./record.ts";
import { scoreArrays } from "./score-arrays.ts";
import { readSettings, settingsDifference, settingsText } from "./settings.ts";

/** The bytes of a picture by its path as the data file writes it, or null where there is none. */
export type Pictures = (path: string) => Promise<Uint8Array | null>;

/** A run that this process writes to. */
export interface Run {
  readonly folder: string;
  /** `sample:task:mode` of the records that succeeded; the rest is still to be run. */
  readonly done: ReadonlySet<string>;
  /**
   * Makes a record durable before it returns. Of several for one sample, task and mode the last one counts; a failure that
   * is the last one's adds nothing.
   */
  append(record: RunRecord): Promise<void>;
  /** Writes scores.npz, scores.csv, lens.csv, report.html, figures/, and what overlays.jsonl shows. */
  finish(pictures: Pictures): Promise<void>;
  /** Gives back the lock. */
  close(): Promise<void>;
}

/**
 * Starts a run, or goes on with the one in the folder.
 * @throws UserError for other settings than the stored ones, a damaged line, a run that another process writes to
 */
export async function openRun(folder: string, settings: RunSettings): Promise<Run> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw diskError(error, folder);
  }
  const unlock = await takeLock(folder);
  try {
    await removeLeftovers(folder);
    await keepSettings(folder, settings);
    return await openLog(folder, unlock);
  } catch (error) {
    unlock();
    throw diskError(error, folder);
  }
}

/**
 * All that a run holds, the last record of each sample, task and mode, sorted by these. Needs no lock.
 * @throws UserError where there is no run or a line is damaged
 */
export async function readRun(folder: string): Promise<{ settings: RunSettings; records: RunRecord[] }> {
  const settings = await readSettings(folder);
  const records: RunRecord[] = [];
  for await (const record of recordsOf(folder)) records.push(record);
  return { settings, records };
}

/** The same records, one after the other. */
export async function* recordsOf(folder: string): AsyncGenerator<RunRecord> {
  const { entries } = await scanLog(logOf(folder));
  yield* readEntries(logOf(folder), entries);
}

/**
 * Writes scores.npz, scores.csv, lens.csv, report.html and figures/ anew from run.json and results.jsonl alone; where
 * there is overlays.jsonl, overlays.npz and overlays/ too. Needs no lock.
 */
export async function writeDerived(folder: string, pictures: Pictures): Promise<void> {
  const { reportWriter } = await import("./report.ts");
  const settings = await readSettings(folder);
  const scores = scoreArrays();
  const report = reportWriter(settings);
  await writeWhole(join(folder, "scores.csv"), (cells) =>
    writeWhole(join(folder, "lens.csv"), async (lens) => {
      const tables = [csvWriter(cells), csvWriter(lens, lensTable)];
      try {
        for await (const record of recordsOf(folder)) {
          report.add(record);
          if ("failed" in record) continue;
          scores.add(record);
          for (const csv of tables) csv.add(record);
        }
      } finally {
        for (const csv of tables) csv.close();
      }
    }),
  );
  for (const { name, bytes } of await report.files(pictures, await readOverlays(folder)))
    await writeBytes(join(folder, name), bytes);
  await writeBytes(join(folder, "scores.npz"), npzBytes(scores.arrays()));
}

const logOf = (folder: string): string => join(folder, "results.jsonl");

async function keepSettings(folder: string, settings: RunSettings): Promise<void> {
  if (!existsSync(join(folder, "run.json"))) {
    if (existsSync(logOf(folder)) && statSync(logOf(folder)).size > 0) {
      throw new UserError(
        `${folder}: holds results.jsonl but no run.json, so its settings are unknown; choose another folder`,
      );
    }
    await writeBytes(join(folder, "run.json"), settingsText(folder, settings));
    return;
  }
  const difference = settingsDifference(await readSettings(folder), settings);
  if (difference.length === 0) return;
  throw new UserError(
    `${folder}: holds a run with other settings (stored -> now):\n${difference.map((line) => `  ${line}\n`).join("")}` +
      "give the stored settings to go on with it, or choose another folder",
  );
}

async function openLog(folder: string, unlock: () => void): Promise<Run> {
  const path = logOf(folder);
  const log = await scanLog(path);
  const file = await open(path, "a");
  try {
    await cutTo(file, log.size);
    await syncFolder(folder);
  } catch (error) {
    await file.close();
    throw error;
  }
  const done = new Set(log.entries.filter(({ failed }: LogEntry) => !failed).map(recordKey));
  const failures = await failuresOf(path, log.entries);
  let size = log.size;
  let queue: Promise<unknown> = Promise.resolve();
  let isOpen = true;

  async function write(record: RunRecord): Promise<void> {
    if (!isOpen) throw new Error(`${folder}: append after close`);
    const key = recordKey(record);
    if ("failed" in record && failures.get(key) === record.failed) return;
    const line = Buffer.from(seal(record));
    try {
      await file.appendFile(line);
      await file.datasync();
    } catch (error) {
      // What was written in part must not become the head of the next line.
      await cutTo(file, size).catch(() => {});
      throw diskError(error, path);
    }
    size += line.length;
    failures.delete(key);
    done.add(key);
    if (!("failed" in record)) return;
    failures.set(key, record.failed);
    done.delete(key);
  }

  return {
    folder,
    done,
    append(record) {
      const written = queue.then(() => write(record));
      queue = written.catch(() => {});
      return written;
    },
    async finish(pictures) {
      await queue;
      await writeDerived(folder, pictures);
    },
    async close() {
      await queue;
      if (!isOpen) return;
      isOpen = false;
      await file.close().finally(unlock);
    },
  };
}

/** Why samples failed: the same again adds no line, so that a run that is given again keeps its bytes. */
async function failuresOf(path: string, entries: readonly LogEntry[]): Promise<Map<string, string>> {
  const failures = new Map<string, string>();
  const failed = entries.filter((entry) => entry.failed);
  for await (const record of readEntries(path, failed))
    if ("failed" in record) failures.set(recordKey(record), record.failed);
  return failures;
}

/** Drops what stands after the last whole line. */
async function cutTo(file: FileHandle, size: number): Promise<void> {
  if ((await file.stat()).size === size) return;
  await file.truncate(size);
  await file.sync();
}

/** Files that a killed process left half-written. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const place of [folder, join(folder, "figures"), join(folder, "overlays")]) {
    const names = await readdir(place).catch(() => []);
    for (const name of names) if (/^\..+\.[0-9a-f]{8}\.tmp$/.test(name)) await rm(join(place, name), { force: true });
  }
}
