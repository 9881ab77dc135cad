/**
 * A sweep that is killed at any moment and started again ends in the same bytes as one that never was.
 * NOTICE_KILLS=50 for the long form.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { notice, type Outcome, type Start } from "./command-line.ts";

const kills = Number(process.env.NOTICE_KILLS ?? 2);
const timeout = 120_000 + 60_000 * kills;
const root = mkdtempSync(join(tmpdir(), "notice-resume-"));
afterAll(() => rmSync(root, { recursive: true }));

/** More samples than share a batch, of few cells each. */
function sweep(out: string, start?: Start): Promise<Outcome> {
  const data = ["--task", "mit_states", "--data", "data/miniature/samples.csv", "--samples", "9"];
  return notice(["sweep", "blip-mini", ...data, "--mode", "image", "--kind", "embed", "--out", out], start);
}

/** Every file of a run by its path. */
function filesOf(folder: string): Map<string, Buffer> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]));
}

let expected: Map<string, Buffer>;
let seconds: number;

beforeAll(async () => {
  const folder = join(root, "whole");
  const outcome = await sweep(folder);
  expect(outcome.code, outcome.stderr).toBe(0);
  expected = filesOf(folder);
  seconds = outcome.seconds;
}, timeout);

function expectSameFiles(folder: string): void {
  const files = filesOf(folder);
  expect([...files.keys()]).toEqual([...expected.keys()]);
  for (const [name, bytes] of files) expect(bytes.equals(expected.get(name)!), name).toBe(true);
}

test("a run holds its settings, its log, its tables, its report and its figures", () => {
  for (const name of ["run.json", "results.jsonl", "scores.npz", "scores.csv", "report.html"])
    expect(expected.has(name), name).toBe(true);
  expect([...expected.keys()].filter((name) => name.startsWith("figures")).length).toBeGreaterThan(0);
});

/** The same moments each time, from the start of the process to a little after its likely end. */
function moments(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 1.05 * seconds * 1000;
  };
}

test(`${kills} kills change no byte of what comes out`, { timeout }, async () => {
  const moment = moments(20240624);
  let folder = join(root, "killed-0");
  for (let killed = 0, finished = 0; killed < kills; ) {
    const wait = moment();
    const { code, stderr } = await sweep(folder, {
      watch(child, said) {
        if (said === "") setTimeout(() => child.kill("SIGKILL"), wait).unref();
      },
    });
    if (code === null) killed++;
    else {
      expect(code, stderr).toBe(0);
      expectSameFiles(folder);
      folder = join(root, `killed-${++finished}`);
    }
  }
  const { code, stderr } = await sweep(folder);
  expect(code, stderr).toBe(0);
  expectSameFiles(folder);
});

test("Ctrl-C ends a sweep with 130 within seconds, and the same command goes on", { timeout }, async () => {
  const folder = join(root, "interrupted");
  let asked = 0;
  const { code, stdout, stderr } = await sweep(folder, {
    watch(child, said) {
      if (asked > 0 || !/\d of 9 sweeps/.test(said)) return;
      asked = performance.now();
      child.kill("SIGINT");
    },
  });
  expect([code, stdout]).toEqual([130, ""]);
  expect(stderr).toMatch(/interrupted; the same command goes on from here\n$/);
  expect((performance.now() - asked) / 1000).toBeLessThan(10);
  const again = await sweep(folder);
  expect(again.code, again.stderr).toBe(0);
  expectSameFiles(folder);
});
