/** Choices of the tuning as a file in the user's cache, one for each adapter, tier and version of the package. */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Choices, TuningStore } from "./tuning.ts";

/** @param subject what the choices hold for: adapter, tier, version */
export function tuningFile(subject: string): TuningStore {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const folder = join(cache, "notice-webgpu", "tuning");
  const path = join(folder, `${createHash("sha256").update(subject).digest("hex").slice(0, 16)}.json`);
  return {
    /** A file that is missing or damaged is made anew: it holds nothing but times of this machine. */
    async read(): Promise<Choices> {
      try {
        return wordsOf(JSON.parse(await readFile(path, "utf8")).choices);
      } catch {
        return {};
      }
    },
    /** Where the cache cannot be written, the next start measures again. */
    async write(choices) {
      const half = `${path}.${randomUUID()}`;
      try {
        await mkdir(folder, { recursive: true });
        await writeFile(half, `${JSON.stringify({ subject, choices }, null, 2)}\n`);
        await rename(half, path);
      } catch {}
    },
  };
}

const wordsOf = (choices: object): Choices =>
  Object.fromEntries(Object.entries(choices).filter(([, form]) => typeof form === "string"));
