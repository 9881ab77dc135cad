/** A lock that is waited for, among processes and hosts that share a cache. Its file names the process that holds it. */
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { age, isAlive, isHere, parseHolder, readLock, thisProcess } from "./lock-holder.node.ts";

/** A lock being written is empty for an instant; older than this, its writer died in that instant. */
const writingMilliseconds = 5000;

/** A holder marks its lock as fresh this often; on another host that is the only sign of life. */
const beatMilliseconds = 10_000;
const silentBeats = 12;

/**
 * Takes the lock when it is free, or left by a dead process.
 * @param waiting called ten times a second while another holds it
 * @returns what gives it back
 */
export async function takeBlobLock(path: string, waiting: () => void, signal?: AbortSignal): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true });
  // The id tells apart two locks of one process.
  const own = JSON.stringify({ ...thisProcess(), id: randomUUID() });
  for (;;) {
    signal?.throwIfAborted();
    if (create(path, own)) return holding(path, own);
    if (isHeld(path)) {
      waiting();
      await pause(100, undefined, { signal });
    } else if (!removeDead(path)) await pause(20, undefined, { signal });
  }
}

function holding(path: string, own: string): () => void {
  const beat = setInterval(() => {
    if (readLock(path) === own) utimesSync(path, new Date(), new Date());
  }, beatMilliseconds);
  beat.unref();
  return () => {
    clearInterval(beat);
    if (readLock(path) === own) rmSync(path, { force: true });
  };
}

/**
 * Removes the lock of a dead process. One process at a time may, and looks again first: else a slow one would remove
 * the lock of the living process that was faster.
 */
function removeDead(path: string): boolean {
  const turn = `${path}.turn`;
  if (!create(turn, "")) {
    if (age(turn) > writingMilliseconds) rmSync(turn, { force: true });
    return false;
  }
  try {
    if (!isHeld(path)) rmSync(path, { force: true });
  } finally {
    rmSync(turn, { force: true });
  }
  return true;
}

function create(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function isHeld(path: string): boolean {
  const text = readLock(path);
  if (text === undefined) return false;
  const holder = parseHolder(text);
  if (holder === undefined) return age(path) < writingMilliseconds;
  return isHere(holder) ? isAlive(holder) : age(path) < silentBeats * beatMilliseconds;
}
