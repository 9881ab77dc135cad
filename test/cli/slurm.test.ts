/** The script of `notice slurm`, its array tasks run here one by one, and `notice merge` of what they make. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readArguments } from "../../src/cli/command.ts";
import { command } from "../../src/cli/slurm.ts";
import { command as sweepCommand } from "../../src/cli/sweep.ts";
import { filesOf } from "../patching/folder-files.ts";
import { expectUserError, notice } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-slurm-"));
afterAll(() => rmSync(root, { recursive: true }));
const study = ["--task", "mit_states", "--data", "data/miniature/samples.csv", "--samples", "5"];
const heads = ["--heads", "0,2", "--positions", "answer", "--head-positions", "answer"];
const sweep = ["blip-mini", ...study, "--mode", "image,text", "--kind", "crossattention_block", ...heads];

/** `bash job.sh ROLE`, as Slurm would start it; `interrupt` as it does near the limit of time, to the end. */
async function run(script: string, role: string, id = 0, interrupt = false) {
  const env = { SLURM_ARRAY_TASK_ID: String(id), SLURM_ARRAY_TASK_COUNT: "4", SLURM_ARRAY_TASK_MIN: "0" };
  const child = spawn("bash", [script, role], { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (interrupt && /\d of \d+ sweeps/.test(said)) child.kill("SIGTERM");
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, said };
}

/** Prints the script into a file, and lets bash read it. */
async function jobScript(out: string): Promise<string> {
  const { code, stdout, stderr } = await notice(["slurm", ...sweep, "--out", out, "--jobs", "4"]);
  expect(code, stderr).toBe(0);
  const path = join(root, "job.sh");
  writeFileSync(path, stdout);
  expect(spawnSync("bash", ["-n", path], { encoding: "utf8" }).stderr).toBe("");
  return path;
}

/** Half a minute: only in `npm run test:long`. */
test.runIf(process.env.NOTICE_LONG)(
  "four array tasks, one ended by SIGTERM and queued again, and their merge give the bytes of one piece",
  async () => {
    const whole = join(root, "whole");
    const out = join(root, "it's $HOME");
    const script = await jobScript(out);
    const [stopped, { code, stderr }] = await Promise.all([
      run(script, "shard", 3, true),
      notice(["sweep", ...sweep, "--out", whole]),
    ]);
    expect(code, stderr).toBe(0);
    expect(stopped.said).toMatch(/interrupted; the same command goes on from here\n$/);
    expect(stopped.code).toBe(130);
    for (const pair of [
      [0, 1],
      [2, 3],
    ]) {
      const tasks = await Promise.all(pair.map((id) => run(script, "shard", id)));
      for (const { code, said } of tasks) expect(code, said).toBe(0);
    }
    const merged = await run(script, "merge");
    expect(merged.code, merged.said).toBe(0);
    const files = new Map([...filesOf(out)].filter(([name]) => !name.startsWith("shard-")));
    const expected = filesOf(whole);
    expect([...files.keys()]).toEqual([...expected.keys()]);
    for (const [name, bytes] of files) expect(bytes.equals(expected.get(name)!), name).toBe(true);
  },
);

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
