/** `notice merge` as a user gives it; what it joins and refuses is in test/patching/merge.test.ts and slurm.test.ts. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { inShard } from "../../src/patching/shard.ts";
import { openRun } from "../../src/patching/store.ts";
import { records, settings } from "../patching/synthetic.ts";
import { expectRefusal, notice } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-merge-"));
afterAll(() => rmSync(root, { recursive: true }));

test("says what was joined, and by its exit code that some sweeps failed", async () => {
  const all = records(5, 12, ["output"]);
  const failed = all.filter((record) => "failed" in record).length;
  expect(failed).toBeGreaterThan(0);
  const base = settings({ kinds: ["output"], data: { ...settings().data, samples: 12 } });
  const folders = [0, 1].map((i) => join(root, `shard-${i}`));
  for (const [i, folder] of folders.entries()) {
    const run = await openRun(folder, { ...base, shard: [i, 2] });
    for (const record of inShard(all, [i, 2])) await run.append(record);
    await run.close();
  }
  const out = join(root, "whole");
  const { code, stdout, stderr } = await notice(["merge", ...folders, "--out", out]);
  expect(code, stderr).toBe(1);
  expect(stdout).toBe(`24 sweeps of 2 shards in ${join(out, "report.html")}\n`);
  expect(stderr).toMatch(/^\d sweeps? failed; the report says why, and the shards' commands try again\n$/);
  expect(readFileSync(join(out, "results.jsonl"), "utf8").split("\n")).toHaveLength(25);
});

test("refuses a folder without a run, in one sentence", async () =>
  expectRefusal(
    await notice(["merge", "data", "--out", root]),
    /data: holds no run\.json, expected the folder of a run/,
  ));
