import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { diskError } from "../../src/patching/disk.ts";
import { openRun, type Pictures, readRun, writeDerived } from "../../src/patching/store.ts";
import { write } from "./slow-writer.ts";
import { random, records, settings } from "./synthetic.ts";

const root = mkdtempSync(join(tmpdir(), "notice-store-"));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
const fresh = () => join(root, `run-${folders++}`);
const noPictures: Pictures = async () => null;
const some = records(1, 4, ["output"]).filter((record) => !("failed" in record));
const log = (folder: string) => join(folder, "results.jsonl");

/** A folder with the first records in it. */
async function filled(count = 3): Promise<string> {
  const folder = fresh();
  const run = await openRun(folder, settings());
  for (const record of some.slice(0, count)) await run.append(record);
  await run.close();
  return folder;
}

test("gives back what was appended, sorted", async () => {
  const folder = fresh();
  const run = await openRun(folder, settings());
  await Promise.all(some.toReversed().map((record) => run.append(record)));
  expect([...run.done].sort()).toEqual(some.map(({ sample, task, mode }) => `${sample}:${task}:${mode}`).sort());
  await run.close();
  expect(await readRun(folder)).toEqual({ settings: settings(), records: some });
  expect(readdirSync(folder).sort()).toEqual(["results.jsonl", "run.json"]);
});

test("drops a torn last line and runs its sample anew", async () => {
  const folder = await filled();
  const whole = readFileSync(log(folder));
  writeFileSync(log(folder), whole.subarray(0, whole.length - 10));
  expect((await readRun(folder)).records).toEqual(some.slice(0, 2));
  const run = await openRun(folder, settings());
  expect(run.done.size).toBe(2);
  await run.append(some[2]!);
  await run.close();
  expect(readFileSync(log(folder))).toEqual(whole);
});

test.for([
  ["a digit", (bytes: Buffer, start: number) => bytes.fill("7", start + 400, start + 401)],
  ["a byte that is not UTF-8", (bytes: Buffer, start: number) => bytes.fill(0xff, start + 300, start + 301)],
  [
    "the checksum",
    (bytes: Buffer) => bytes.fill("z", bytes.lastIndexOf("}\n", -3) - 4, bytes.lastIndexOf("}\n", -3) - 3),
  ],
  ["a line feed", (bytes: Buffer, start: number) => bytes.fill(" ", start - 1, start)],
] as const)("names a line in the middle where %s was changed", async ([, damage]) => {
  const folder = await filled();
  const bytes = readFileSync(log(folder));
  damage(bytes, bytes.indexOf("\n") + 1);
  writeFileSync(log(folder), bytes);
  await expect(openRun(folder, settings())).rejects.toThrow(
    /results\.jsonl: line [123] is damaged .* restore the file/,
  );
  await expect(readRun(folder)).rejects.toThrow("is damaged");
  expect(readdirSync(folder)).not.toContain("lock");
});

test("refuses other settings and shows the difference", async () => {
  const folder = await filled();
  const other = settings({ kinds: ["output"], model: { ...settings().model, name: "blip" } });
  const error = await openRun(folder, other).catch((reason) => reason);
  expect(error.name).toBe("UserError");
  expect(error.message.replace(folder, "RUN")).toMatchInlineSnapshot(`
    "RUN: holds a run with other settings (stored -> now):
      model.name: "blip-mini" -> "blip"
      kinds: ["output","attention_block","crossattention_block"] -> ["output"]
    give the stored settings to go on with it, or choose another folder"
  `);
});

test.for([
  ["", /is not JSON/],
  ['{"format":2}', /format is 2, this version reads only 1/],
  ["null", /format is undefined/],
] as const)("refuses run.json with %j", async ([text, message]) => {
  const folder = await filled();
  writeFileSync(join(folder, "run.json"), text);
  await expect(openRun(folder, settings())).rejects.toThrow(message);
});

test("refuses results without settings, and a folder without a run", async () => {
  const folder = await filled();
  rmSync(join(folder, "run.json"));
  await expect(openRun(folder, settings())).rejects.toThrow("holds results.jsonl but no run.json");
  await expect(readRun(fresh())).rejects.toThrow("holds no run.json");
});

test("runs failed samples again; the last line counts", async () => {
  const folder = fresh();
  const { key, sample, task, mode } = some[0]!;
  const run = await openRun(folder, settings());
  await run.append({ key, sample, task, mode, failed: "device lost" });
  expect(run.done.size).toBe(0);
  await run.append(some[0]!);
  expect(run.done.size).toBe(1);
  await run.close();
  expect((await readRun(folder)).records).toEqual([some[0]]);
});

test("a sample that fails again as before adds nothing, in another way a line", async () => {
  const folder = fresh();
  const { key, sample, task, mode } = some[0]!;
  const size = () => statSync(join(folder, "results.jsonl")).size;
  const sizes: number[] = [];
  for (const failed of ["no such picture", "no such picture", "device lost"]) {
    const run = await openRun(folder, settings());
    await run.append({ key, sample, task, mode, failed });
    await run.append({ key, sample, task, mode, failed });
    await run.close();
    sizes.push(size());
  }
  expect(sizes[1]).toBe(sizes[0]);
  expect(sizes[2]).toBeGreaterThan(sizes[0]!);
  expect((await readRun(folder)).records).toEqual([{ key, sample, task, mode, failed: "device lost" }]);
});

test("a living process keeps its lock", async () => {
  const folder = fresh();
  const run = await openRun(folder, settings());
  await expect(openRun(folder, settings())).rejects.toThrow(
    new RegExp(`process ${process.pid} on ${hostname()} has been writing to it since 20.*wait for it`),
  );
  await run.close();
  await (await openRun(folder, settings())).close();
});

test.for([
  ["a dead process", () => ({ pid: 2 ** 22 + 1, host: hostname(), started: "2020", birth: null })],
  [
    "a process whose number was given away again",
    () => ({ pid: process.pid, host: hostname(), started: "2020", birth: "1" }),
  ],
] as const)("takes over the lock of %s", async ([, holder], { skip }) => {
  if (holder().birth !== null && process.platform !== "linux") skip();
  const folder = await filled();
  writeFileSync(join(folder, "lock"), JSON.stringify(holder()));
  const run = await openRun(folder, settings());
  expect(JSON.parse(readFileSync(join(folder, "lock"), "utf8")).pid).toBe(process.pid);
  await run.close();
  expect(readdirSync(folder).sort()).toEqual(["results.jsonl", "run.json"]);
});

test("respects the lock of another host", async () => {
  const folder = await filled();
  writeFileSync(
    join(folder, "lock"),
    JSON.stringify({ pid: 1, host: "elsewhere", started: "2020-01-01T00:00:00.000Z", birth: null }),
  );
  await expect(openRun(folder, settings())).rejects.toThrow(
    `process 1 on elsewhere took the lock at 2020-01-01T00:00:00.000Z, and only there can be seen whether it still runs; if it does not, delete ${join(folder, "lock")} and give the same command again`,
  );
});

test("says in words what the disk refuses", async () => {
  const file = join(fresh());
  writeFileSync(file, "");
  await expect(openRun(file, settings())).rejects.toThrow("there is a file of that name, expected a folder");
  await expect(openRun(join(file, "run"), settings())).rejects.toThrow("a part of the path is a file");
  const full = diskError(Object.assign(new Error("write"), { code: "ENOSPC" }), "run/results.jsonl") as Error;
  expect(full.message).toBe(
    "run/results.jsonl: the disk is full; free some space and give the same command again, it goes on where it stopped (ENOSPC)",
  );
});

test("goes on after kills at random moments, to the same bytes", { timeout: 60_000 }, async () => {
  const next = random(5);
  const [steady, killed] = [fresh(), fresh()];
  await write(steady, 0);
  let kills = 0;
  for (let attempt = 0; kills < 5 && attempt < 40; attempt++) {
    const child = writer(killed);
    const lines = Math.floor(next() * 6);
    await lineCount(killed, lines + written(killed), child);
    await new Promise((wake) => setTimeout(wake, 30 * next()));
    if (child.exitCode === null && child.kill("SIGKILL")) kills++;
    await finished(child).catch(() => {});
    if (next() < 0.5) appendFileSync(log(killed), '{"key":"torn');
  }
  expect(kills).toBe(5);
  await write(killed, 0);
  for (const folder of [steady, killed]) await writeDerived(folder, noPictures);
  const names = readdirSync(steady, { recursive: true, encoding: "utf8" }).sort();
  expect(readdirSync(killed, { recursive: true, encoding: "utf8" }).sort()).toEqual(names);
  for (const name of names.filter((name) => name !== "results.jsonl" && statSync(join(steady, name)).isFile())) {
    expect(readFileSync(join(killed, name)).equals(readFileSync(join(steady, name))), name).toBe(true);
  }
});

const writer = (folder: string) =>
  spawn(process.execPath, ["--import", "tsx", fileURLToPath(new URL("slow-writer.ts", import.meta.url)), folder], {
    stdio: "inherit",
  });

const finished = (child: ChildProcess) =>
  new Promise<void>((resolve, reject) => {
    const ended = (code: number | null) =>
      code === 0 ? resolve() : reject(new Error(`the writer ended with ${code}`));
    if (child.exitCode !== null || child.signalCode !== null) ended(child.exitCode);
    else child.on("exit", ended);
  });

function written(folder: string): number {
  try {
    return readFileSync(log(folder), "utf8").split("\n").length - 1;
  } catch {
    return 0;
  }
}

async function lineCount(folder: string, count: number, child: ChildProcess): Promise<void> {
  while (written(folder) < count && child.exitCode === null) await new Promise((wake) => setTimeout(wake, 5));
}
