/**
 * Steps of a study. Each leaves a stamp of what it was made from and of what it made, is skipped while both still stand,
 * and goes on where it was stopped as long as it is made from the same.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { writeBytes } from "./disk.ts";

export interface Step<T extends object> {
  readonly folder: string;
  readonly name: string;
  /** All that decides what comes out. */
  readonly from: object;
  /** What comes out, below the folder. */
  readonly files: readonly string[];
  /** What holds these and partial work: files and folders, set aside or removed before the step begins anew. */
  readonly places: readonly string[];
  /** Took long: goes on where it was stopped, and is set aside where it is made anew. */
  readonly precious?: boolean;
  /** Knows by itself which of its work is sound, even where its files were changed. */
  readonly checked?: boolean;
  /** Did not succeed in all, and should be tried again. */
  again?(found: T): boolean;
  work(): Promise<T>;
}

interface Stamp {
  readonly format: 1;
  readonly step: string;
  readonly from: object;
  /** sha256 of what came out, and what was found; null until then. */
  readonly files: Readonly<Record<string, string>> | null;
  readonly found: object | null;
}

export interface Taken<T> {
  readonly found: T;
  /** Nothing had to be done. */
  readonly unchanged: boolean;
  /** sha256 by file. */
  readonly files: Readonly<Record<string, string>>;
}

/** Does a step, what is left of it, or nothing. */
export async function takeStep<T extends object>(step: Step<T>): Promise<Taken<T>> {
  const { folder, name, from } = step;
  const path = join(folder, `${name}.stamp.json`);
  await removeLeftovers(folder);
  const stamp = await readStamp(path);
  const same = stamp !== null && JSON.stringify(stamp.from) === JSON.stringify(from);
  let sound = same && step.precious === true; // of an unfinished step what it knows to go on with
  if (same && stamp.files) {
    const files = await hashesOf(folder, step.files);
    const untouched = files !== null && JSON.stringify(files) === JSON.stringify(stamp.files);
    if (untouched && !step.again?.(stamp.found as T)) return { found: stamp.found as T, unchanged: true, files };
    sound = untouched || step.checked === true;
  }
  if (stamp && !sound) await clear(step, stamp);
  const begun: Stamp = { format: 1, step: name, from, files: null, found: null };
  await writeBytes(path, textOf(begun));
  const found = await step.work();
  const files = await hashesOf(folder, step.files);
  if (!files) throw new Error(`${folder}: ${name} has not made all of ${step.files.join(", ")}`);
  await writeBytes(path, textOf({ ...begun, files, found }));
  return { found, unchanged: false, files };
}

const textOf = (stamp: Stamp): string => `${JSON.stringify(stamp, null, 2)}\n`;

async function readStamp(path: string): Promise<Stamp | null> {
  if (!existsSync(path)) return null;
  try {
    const stamp = JSON.parse(await readFile(path, "utf8")) as Stamp;
    if (stamp.format === 1) return stamp;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UserError(`${path}: is no stamp that this version reads; remove it and what stands beside it of that step`);
}

/** Makes room for a step that begins anew: `superseded/` keeps what took long. */
async function clear({ folder, places, precious }: Step<object>, stamp: Stamp): Promise<void> {
  const aside = join(folder, "superseded", hashOf(JSON.stringify(stamp)).slice(0, 8));
  if (precious) await mkdir(aside, { recursive: true });
  for (const place of places) {
    const path = join(folder, place);
    if (!existsSync(path)) continue;
    if (!precious) await rm(path, { recursive: true });
    else {
      await rm(join(aside, basename(place)), { recursive: true, force: true });
      await rename(path, join(aside, basename(place)));
    }
  }
}

/** null where one is missing. */
async function hashesOf(folder: string, files: readonly string[]): Promise<Record<string, string> | null> {
  const hashes: [string, string][] = [];
  for (const file of files) {
    if (!existsSync(join(folder, file))) return null;
    hashes.push([file, await hashOfFile(join(folder, file))]);
  }
  return Object.fromEntries(hashes);
}

async function hashOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece);
  return hash.digest("hex");
}

/** Files that a killed process left half-written. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [] as string[]))
    if (/\.[0-9a-f]{8}\.tmp$/.test(name)) await rm(join(folder, name), { force: true });
}

/** Names, sizes and times of all files below a folder in one hash: changed pictures are seen without reading them. */
export async function listingHash(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
  const hash = createHash("sha256");
  for (const path of paths.sort()) {
    const { size, mtimeMs } = await stat(path);
    hash.update(`${path.slice(folder.length)}\n${size}\n${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

/** The folder of a model's name. */
export const folderName = (model: string): string =>
  model
    .split(/[\\/]+/)
    .filter((part) => part !== "" && part !== ".")
    .join("--")
    .replace(/[^\w.-]/g, (letter) => `~${letter.codePointAt(0)!.toString(16)}`);
