/** Who may transfer: one process at a time, and another once that one is dead. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { takeBlobLock } from "../../src/models/hub-lock.node.ts";

const root = mkdtempSync(join(tmpdir(), "notice-hub-lock-"));
afterAll(() => rmSync(root, { recursive: true }));
let locks = 0;
const fresh = () => join(root, String(locks++), "blob.pid");

/** Whether a lock that lies there is waited for. */
async function isWaitedFor(content: string, secondsOld = 0): Promise<boolean> {
  const path = fresh();
  (await takeBlobLock(path, () => {}))();
  writeFileSync(path, content);
  const then = Date.now() / 1000 - secondsOld;
  utimesSync(path, then, then);
  const abort = new AbortController();
  const taken = takeBlobLock(path, () => abort.abort(), abort.signal);
  const release = await taken.catch(() => undefined);
  expect(readFileSync(path, "utf8") === content).toBe(release === undefined);
  release?.();
  expect(existsSync(path)).toBe(release === undefined);
  return release === undefined;
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await new Promise((done) => child.once("exit", done));
  return child.pid!;
}

const holder = (other: object) =>
  JSON.stringify({ pid: process.pid, host: hostname(), birth: null, id: "x", ...other });

test.for<[string, () => string | Promise<string>, number, boolean]>([
  ["a living process", () => holder({}), 3600, true],
  ["a dead process", async () => holder({ pid: await deadPid() }), 0, false],
  ["a process on another host that shows life", () => holder({ host: "elsewhere" }), 60, true],
  ["a process on another host that has been silent", () => holder({ host: "elsewhere" }), 180, false],
  ["a process that is just writing it", () => "", 0, true],
  ["a process that died writing it", () => "", 60, false],
])("the lock of %s", async ([, content, age, waits]) => expect(await isWaitedFor(await content(), age)).toBe(waits));

test.runIf(process.platform === "linux")("the lock of an earlier process of the same number", async () => {
  expect(await isWaitedFor(holder({ birth: "1" }))).toBe(false);
});

test("of twenty that want a dead one's lock each has it once, alone", async () => {
  const path = fresh();
  (await takeBlobLock(path, () => {}))();
  writeFileSync(path, holder({ pid: await deadPid() }));
  let inside = 0;
  let turns = 0;
  const one = async () => {
    const release = await takeBlobLock(path, () => {});
    expect(++inside).toBe(1);
    await new Promise((wake) => setTimeout(wake, 1));
    inside--;
    turns++;
    release();
  };
  await Promise.all(Array.from({ length: 20 }, one));
  expect(turns).toBe(20);
  expect(readdirSync(join(path, ".."))).toEqual([]);
});
