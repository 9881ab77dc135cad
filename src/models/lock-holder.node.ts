/** The process that a lock file names, and whether it still lives. */
import { readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";

export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the kernel started that process, where it says so: tells it from a later one of the same number. */
  readonly birth: string | null;
}

export const thisProcess = (): Holder => ({ pid: process.pid, host: hostname(), birth: birth(process.pid) });

/** Only of a process on this host can be told that it is dead. */
export const isHere = ({ host }: Holder): boolean => host === hostname();

export function isAlive({ pid, birth: born }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = birth(pid);
  return born === null || now === null || born === now;
}

/** Field 22 of /proc/PID/stat on Linux; the name in field 2 may hold spaces and brackets. */
function birth(pid: number): string | null {
  const stat = readLock(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

/** The text of a lock; undefined where there is none. */
export function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Undefined for a lock that is being written, or was cut. */
export function parseHolder<H extends Holder>(text: string): H | undefined {
  try {
    const holder = JSON.parse(text) as H | null;
    return typeof holder?.pid === "number" && typeof holder.host === "string" ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Milliseconds since a file was written or marked; 0 for one that is gone. */
export function age(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
