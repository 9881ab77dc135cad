/** run.json: the settings of a run, and how those of two runs differ. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { UserError } from "../models/errors.ts";
import { diskError } from "./disk.ts";
import type { RunSettings } from "./record.ts";

/** As the file holds them: the data's path from the run's folder on, so that both can be moved together. */
export function settingsText(folder: string, settings: RunSettings): string {
  const path = relative(resolve(folder), settings.data.path).replaceAll("\\", "/");
  return `${JSON.stringify({ ...settings, data: { ...settings.data, path } }, null, 2)}\n`;
}

/** @throws UserError where the folder holds no run that this version can read */
export async function readSettings(folder: string): Promise<RunSettings> {
  const path = join(folder, "run.json");
  if (!existsSync(path)) throw new UserError(`${folder}: holds no run.json, expected the folder of a run`);
  let settings: { format?: unknown } | null;
  try {
    settings = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw diskError(error, path);
    throw new UserError(`${path}: is not JSON (${error.message}); restore it from a copy, or choose another folder`);
  }
  if (settings?.format === 1) return withPath(folder, settings as RunSettings);
  throw new UserError(`${path}: format is ${JSON.stringify(settings?.format)}, this version reads only 1`);
}

const withPath = (folder: string, settings: RunSettings): RunSettings => ({
  ...settings,
  data: { ...settings.data, path: resolve(folder, settings.data.path) },
});

/** One line `field: stored -> now` for each field that differs; paths from the current folder on. */
export function settingsDifference(stored: RunSettings, now: RunSettings): string[] {
  const [before, after] = [flat(withPath(".", stored)), flat(withPath(".", now))];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((field) => before.get(field) !== after.get(field))
    .map((field) => `${field}: ${before.get(field) ?? "nothing"} -> ${after.get(field) ?? "nothing"}`);
}

/** Leaves by their dotted path; a list is a leaf. */
function flat(value: object, prefix = ""): Map<string, string> {
  const leaves = Object.entries(value).flatMap(([name, part]): [string, string][] =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? [...flat(part, `${prefix}${name}.`)]
      : [[prefix + name, JSON.stringify(part)]],
  );
  return new Map(leaves);
}
