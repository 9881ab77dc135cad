/** A file that names the process which writes to a run. */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UserError } from "../models/errors.ts";
import { diskError } from "./disk.ts";

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the lock was taken, in ISO 8601. */
  readonly started: string;
  /** When the kernel started that process, where it says so: tells a process from a later one of the same number. */
  readonly birth: string | null;
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
  const own = JSON.stringify(self());
  for (;;) {
    try {
      writeFileSync(path, own, { flag: "wx" });
      return () => {
        if (read(path) === own) rmSync(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw diskError(error, path);
    }
    const found = read(path);
    if (found === null) continue;
    const holder = parse(found);
    if (holder === null && age(path) < writingMilliseconds) await new Promise((wake) => setTimeout(wake, 50));
    else if (holder !== null && alive(holder)) throw new UserError(refusal(folder, path, holder));
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
  if (read(aside) === found) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

const self = (): Holder => ({
  pid: process.pid,
  host: hostname(),
  started: new Date().toISOString(),
  birth: birth(process.pid),
});

/** Field 22 of /proc/PID/stat on Linux; the name in field 2 may hold spaces and brackets. */
function birth(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function alive({ pid, host, birth: born }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = birth(pid);
  return born === null || now === null || born === now;
}

function refusal(folder: string, path: string, { pid, host, started }: Holder): string {
  const held = `${folder}: process ${pid} on ${host} has been writing to this run since ${started}`;
  return host === hostname()
    ? `${held}; wait for it, stop it, or choose another folder`
    : `${held}; wait for it, choose another folder, or delete ${path} if that process no longer runs`;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function parse(text: string): Holder | null {
  try {
    const holder = JSON.parse(text) as Holder | null;
    return typeof holder?.pid === "number" && typeof holder.host === "string" ? holder : null;
  } catch {
    return null;
  }
}

function age(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
