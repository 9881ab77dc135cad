/** Shards put together are the run in one piece; what is not all of one sweep is refused. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readDataFile } from "../../src/data/samples.ts";
import { mergeRuns } from "../../src/patching/merge.ts";
import type { RunRecord, RunSettings } from "../../src/patching/record.ts";
import { inShard, readShard, shardOf } from "../../src/patching/shard.ts";
import { openRun, type Pictures } from "../../src/patching/store.ts";
import { expectUserError } from "../cli/command-line.ts";
import { expectSameFiles, filesOf } from "./folder-files.ts";
import { dataFile, records, settings } from "./synthetic.ts";

const root = mkdtempSync(join(tmpdir(), "notice-merge-"));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
const fresh = () => join(root, `run-${folders++}`);
const noPictures: Pictures = async () => null;

const SAMPLES = 12;
const SHARDS = 3;
const kinds = ["output"];
let all: RunRecord[];
let base: RunSettings;

beforeAll(async () => {
  const file = await readDataFile(dataFile.pathname);
  const made = records(5, SAMPLES, kinds);
  all = made.map((record) => ({ ...record, key: file.rows[record.sample]!.key }));
  base = settings({ kinds, data: { ...settings().data, path: file.path, sha256: file.sha256, samples: SAMPLES } });
  expect(all.some((record) => "failed" in record)).toBe(true);
});

async function written(own: readonly RunRecord[], change: Partial<RunSettings>, folder = fresh()): Promise<string> {
  const run = await openRun(folder, { ...base, ...change });
  for (const record of own) await run.append(record);
  await run.close();
  return folder;
}

/** The shards of all records, in folders, with what `change` makes of each. */
const shards = (change: (own: readonly RunRecord[], i: number) => readonly RunRecord[] = (own) => own) =>
  Promise.all(
    Array.from({ length: SHARDS }, (_, i) => written(change(inShard(all, [i, SHARDS]), i), { shard: [i, SHARDS] })),
  );

test("shards in any order, their records too, are the run in one piece; again and from half a merge as well", async () => {
  const whole = await written(all, {});
  const run = await openRun(whole, base);
  await run.finish(noPictures);
  await run.close();
  const parts = await shards((own) => own.toReversed());
  const failed = all.filter((record) => "failed" in record).length;
  const half = await written(all.slice(0, 7), {});
  for (const out of [fresh(), half, half]) {
    expect(await mergeRuns([parts[2]!, parts[0]!, parts[1]!], out, noPictures)).toEqual({
      ...{ shards: SHARDS, records: 2 * SAMPLES, failed },
    });
    expectSameFiles(out, filesOf(whole));
  }
  expect(JSON.parse(readFileSync(join(half, "run.json"), "utf8")).shard).toBeNull();
});

test("a sample that has succeeded in the whole run is not lost to its shard's failure", async () => {
  const out = fresh();
  const parts = await shards();
  await mergeRuns(parts, out, noPictures);
  const { failed: _, ...place } = all.find((record) => "failed" in record) as RunRecord & { failed: string };
  const success = { ...all.find((record) => !("failed" in record))!, ...place };
  await written([success], {}, out);
  const before = readFileSync(join(out, "results.jsonl"));
  await mergeRuns(parts, out, noPictures);
  expect(readFileSync(join(out, "results.jsonl"))).toEqual(before);
});

const first = () => all.find(({ key }) => shardOf(key, SHARDS) === 0)!;

test.for<[string, () => Promise<string[]>, RegExp]>([
  ["a whole run", async () => [await written(all, {})], /run-\d+: is a whole run, expected shards of one; give only/],
  ["a missing shard", async () => (await shards()).slice(1), /^shard 0 of 3 is missing; give the folders of all/],
  ["two missing shards", async () => (await shards()).slice(2), /^shards 0, 1 of 3 are missing; give/],
  [
    "the same folder twice",
    async () => [...(await shards()), (await shards())[1]!],
    /^shard 1 of 3 is given twice, as .*run-\d+ and .*run-\d+: they hold the same; give one/,
  ],
  [
    "two folders of other numbers",
    async () => [...(await shards()), await written([{ ...first(), failed: "no" }], { shard: [0, SHARDS] })],
    /^shard 0 of 3 is given twice, as .*: they differ in sample \d+, image; give one of them/,
  ],
  [
    "a sample of another shard",
    async () => shards((own, i) => (i === 1 ? [...own, first()] : own)),
    /run-\d+: holds sample \d+ of shard 0, expected only those of shard 1\/3; sweep it anew/,
  ],
  [
    "shards of another count",
    async () => [(await shards())[0]!, await written([], { shard: [1, 4] })],
    /has other settings than .*\(there -> here\): shard: \[0,3\] -> \[0,4\] merge only shards of one sweep/,
  ],
  [
    "other settings",
    async () => [(await shards())[0]!, await written([], { shard: [1, SHARDS], min_denominator: 0.01 })],
    /\(there -> here\): min_denominator: 0\.001 -> 0\.01 merge only/,
  ],
  [
    "missing samples, by name",
    async () => shards((own) => own.filter(({ sample, mode }) => sample !== 3 || mode !== "text")),
    /^1 of 24 sweeps are missing: sample 3, text \(shard [012]\) give the command of their shards again/,
  ],
])("refuses %s", async ([, folders, message]) => {
  const error = await mergeRuns(await folders(), fresh(), noPictures).catch((reason: unknown) => reason);
  expect(error).toHaveProperty("name", "UserError");
  expect((error as Error).message.replace(/\n */g, " ")).toMatch(message);
});

test("refuses to write over another run's numbers", async () => {
  const success = all.find((record) => !("failed" in record))!;
  const out = await written([{ ...success, group: "another" } as RunRecord], {});
  const parts = await shards();
  await expectUserError(
    () => mergeRuns(parts, out, noPictures),
    /holds other numbers for sample \d+, \w+, than .*run-/,
  );
});

const slurm = (id: string, count: string, least = "0", most = String(Number(count) - 1)) => ({
  ...{
    SLURM_ARRAY_TASK_ID: id,
    SLURM_ARRAY_TASK_COUNT: count,
    SLURM_ARRAY_TASK_MIN: least,
    SLURM_ARRAY_TASK_MAX: most,
  },
});

test("a shard by its numbers, or by Slurm's", () => {
  expect([readShard("0/1"), readShard("3/8"), readShard("slurm", slurm("3", "8"))]).toEqual([
    [0, 1],
    [3, 8],
    [3, 8],
  ]);
});

test.for<[string, Record<string, string>, RegExp]>([
  ["4/4", {}, /--shard: got "4\/4", expected i\/n with i from 0 to n - 1/],
  ["1", {}, /--shard: got "1", expected i\/n/],
  ["-1/4", {}, /--shard: got "-1\/4"/],
  ["slurm", {}, /--shard slurm: got SLURM_ARRAY_TASK_ID=, .*expected those of an array job; or give --shard i\/n/],
  ["slurm", slurm("3", "1", "3", "3"), /expected an array from 0 without gaps .*; for single tasks give --shard i\/n/],
  ["slurm", slurm("2", "4", "0", "6"), /expected an array from 0 without gaps/],
])("refuses the shard %s", ([text, environment, message]) =>
  expectUserError(() => readShard(text, environment), message),
);

test("each sample is in one shard, whatever its place; the shards are alike in size", () => {
  const keys = Array.from({ length: 4000 }, (_, i) => ({ key: i.toString(16).padStart(16, "0") }));
  const sizes = [0, 1, 2, 3].map((i) => inShard(keys, [i, 4]).length);
  expect(sizes.reduce((a, b) => a + b)).toBe(4000);
  for (const size of sizes) expect(Math.abs(size - 1000)).toBeLessThan(100);
  expect(inShard(keys, null)).toBe(keys);
});
