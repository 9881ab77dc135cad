/** The script of `notice slurm`, its array tasks run here one by one, and `notice merge` of what they make. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readArguments } from "../../src/cli/command.ts";
import { command } from "../../src/cli/slurm.ts";
import { command as sweepCommand } from "../../src/cli/sweep.ts";
import { filesOf } from "../patching/folder-files.ts";
import { expectUserError, notice } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-slurm-"));
afterAll(() => rmSync(root, { recursive: true }));
const study = ["--task", "mit_states", "--data", "data/miniature/samples.csv", "--samples", "5"];
const sweep = ["blip-mini", ...study, "--mode", "image,text", "--kind", "crossattention_block"];
const heads = ["--heads", "0,2", "--positions", "answer", "--head-positions", "answer"];

/** Prints the script into a file, and lets bash read it. */
async function jobScript(out: string, jobs: number): Promise<string> {
  const { code, stdout, stderr } = await notice(["slurm", ...sweep, ...heads, "--out", out, "--jobs", String(jobs)]);
  expect(code, stderr).toBe(0);
  const path = join(root, `job-${jobs}.sh`);
  writeFileSync(path, stdout);
  expect(spawnSync("bash", ["-n", path], { encoding: "utf8" }).stderr).toBe("");
  return path;
}

/** `bash job.sh ROLE`, as Slurm would start it. */
async function run(script: string, role: string, id = 0, count = 1, interrupt = false) {
  const env = { SLURM_ARRAY_TASK_ID: id, SLURM_ARRAY_TASK_COUNT: count, SLURM_ARRAY_TASK_MIN: 0 };
  const texts = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
  const child = spawn("bash", [script, role], { env: { ...process.env, ...texts }, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.resume();
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (interrupt && /\d of \d+ sweeps/.test(said)) child.kill("SIGTERM");
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, said };
}

let expected: Map<string, Buffer>;

beforeAll(async () => {
  const { code, stderr } = await notice(["sweep", ...sweep, ...heads, "--out", join(root, "whole")]);
  expect(code, stderr).toBe(0);
  expected = filesOf(join(root, "whole"));
});

/** Beside the shards' folders the merged run is the whole one. */
function expectWhole(folder: string): void {
  const files = [...filesOf(folder)].filter(([name]) => !name.startsWith("shard-"));
  expect(files.map(([name]) => name)).toEqual([...expected.keys()]);
  for (const [name, bytes] of files) expect(bytes.equals(expected.get(name)!), name).toBe(true);
}

test("four array tasks and their merge give the bytes of the run in one piece", async () => {
  const out = join(root, "it's $HOME");
  const script = await jobScript(out, 4);
  const some = await Promise.all([0, 1].map((id) => run(script, "shard", id, 4)));
  expect(some.map(({ code }) => code)).toEqual([0, 0]);
  const others = await Promise.all([2, 3].map((id) => run(script, "shard", id, 4)));
  expect(others.map(({ code }) => code)).toEqual([0, 0]);
  expect((await run(script, "merge")).code).toBe(0);
  expectWhole(out);
});

test("SIGTERM ends a task with 130; the same task goes on", async () => {
  const out = join(root, "stopped");
  const script = await jobScript(out, 1);
  const { code, said } = await run(script, "shard", 0, 1, true);
  expect([code, said]).toEqual([130, expect.stringMatching(/interrupted; the same command goes on from here\n$/)]);
  expect((await run(script, "shard")).code).toBe(0);
  expect((await run(script, "merge")).code).toBe(0);
  expectWhole(out);
});

const given = ["blip-mini", "--task", "mit_states", "--mode", "text", "--kind", "output", "--out", "x"];

test.for<[string, string[], RegExp]>([
  ["no number of jobs", ["--data", "data/miniature/samples.csv"], /slurm: needs --jobs N/],
  ["a time", ["--data", "x", "--jobs", "2", "--time", "4h"], /--time: got "4h", expected hours as 4:00:00/],
  ["a data file that is not there", ["--data", "x.csv", "--jobs", "2"], /x\.csv: found no such file/],
  ["its own --shard", ["--data", "x", "--jobs", "2", "--shard", "0/2"], /slurm: unknown option --shard/],
])("refuses %s", ([, args, message]) =>
  expectUserError(
    async () => command.run(readArguments("slurm", command, [...given, ...args]), new AbortController().signal),
    message,
  ),
);

test("refuses overlays of a shard, whose strongest heads are not the run's", () =>
  expectUserError(
    async () =>
      sweepCommand.run(
        readArguments("sweep", sweepCommand, [...sweep, "--shard", "0/2", "--overlays", "2", "--out", "x"]),
        new AbortController().signal,
      ),
    /--overlays: got a shard, .*give it without --shard, to the merged run/,
  ));
