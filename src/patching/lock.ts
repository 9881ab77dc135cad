/** A file that names the process which writes to a run. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../models/errors.ts";
import { age, type Holder, isAlive, isHere, parseHolder, readLock, thisProcess } from "../models/lock-holder.node.ts";
import { diskError } from "./disk.ts";

interface Writer extends Holder {
  /** When the lock was taken, in ISO 8601. */
  readonly started: string;
}

/** A lock being written is empty for an instant; older than this, its writer died in that instant. */
const writingMilliseconds = 2000;

/**
 * Takes a folder's lock, also from a process that is dead.
 * @returns what gives it back
 * @throws UserError while a living process, or one on another host, holds it
 */
export async function takeLock(folder: string): Promise<() => void> {
  const path = join(folder, "lock");
  const own = JSON.stringify({ ...thisProcess(), started: new Date().toISOString() } satisfies Writer);
  for (;;) {
    try {
      writeFileSync(path, own, { flag: "wx" });
      return () => {
        if (readLock(path) === own) rmSync(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw diskError(error, path);
    }
    const found = readLock(path);
    if (found === undefined) continue;
    const holder = parseHolder<Writer>(found);
    if (!holder && age(path) < writingMilliseconds) await new Promise((wake) => setTimeout(wake, 50));
    else if (holder && (!isHere(holder) || isAlive(holder))) throw new UserError(refusal(folder, path, holder));
    else removeStale(path, found);
  }
}

/** Removes the lock if it still is the one that was found stale: another process may have taken it over meanwhile. */
function removeStale(path: string, found: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw diskError(error, path);
  }
  if (readLock(aside) === found) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

function refusal(folder: string, path: string, writer: Writer): string {
  const { pid, host, started } = writer;
  if (isHere(writer))
    return `${folder}: process ${pid} on ${host} has been writing to it since ${started}; wait for it, stop it, or choose another folder`;
  return (
    `${folder}: process ${pid} on ${host} took the lock at ${started}, and only there can be seen whether it still runs; ` +
    `if it does not, delete ${path} and give the same command again; if it does, wait for it or choose another folder`
  );
}
