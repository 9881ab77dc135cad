/** `notice circuits` on a run that the miniature has made. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { command } from "../../src/cli/circuits.ts";
import { readArguments } from "../../src/cli/command.ts";
import type { Circuits } from "../../src/patching/circuit/document.ts";
import type { RunRecord } from "../../src/patching/record.ts";
import { notebook } from "../patching/notebook.ts";
import { expectRefusal, expectUserError, notice, noticeJson } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-circuits-"));
const run = join(root, "run");
afterAll(() => rmSync(root, { recursive: true }));

beforeAll(async () => {
  const data = ["--task", "mit_states", "--data", "data/miniature/samples.csv", "--samples", "2"];
  const what = ["--mode", "image,text", "--kind", "crossattention_block", "--heads", "all"];
  const where = ["--positions", "answer", "--head-positions", "answer"];
  const { code, stderr } = await notice(["sweep", "blip-mini", ...data, ...what, ...where, "--out", run]);
  expect(code, stderr).toBe(0);
});

test("the numbers of a real run are the notebook's, to the last bit", async () => {
  const lines = readFileSync(join(run, "results.jsonl"), "utf8").trim().split("\n");
  const records = lines.map((line) => JSON.parse(line) as RunRecord);
  const kinds = ["corrected", "upstream"] as const;
  const all = await Promise.all(kinds.map((compat) => noticeJson<Circuits>(["circuits", run, "--compat", compat])));
  all.forEach((found, i) => {
    expect(found.column).toBe(["logit_diff", "p_patched"][i]);
    expect(found.circuits).toHaveLength(2);
    for (const circuit of found.circuits) {
      const expected = notebook(records, circuit, found.column, kinds[i]!);
      expect(circuit.scores.map(({ strength }) => strength)).toEqual(expected.strength);
      expect([circuit.threshold, circuit.important]).toEqual([expected.threshold, expected.important]);
      expect(circuit.samples).toBe(2);
    }
  });
});

test("a table of important and universal heads; files where they are asked for; the same text again", async () => {
  const out = join(root, "out");
  const options = ["--sigma", "1", "--bootstrap", "50", "--seed", "7"];
  const [first, second] = await Promise.all([
    notice(["circuits", run, ...options, "--out", out]),
    notice(["circuits", `${run}/`, ...options]),
  ]);
  expect(first.code, first.stderr).toBe(0);
  expect(second.stdout).toBe(first.stdout);
  expect(first.stderr).toMatch(/out\/circuits\.html\n$/);
  const found = JSON.parse(readFileSync(join(out, "circuits.json"), "utf8")) as Circuits;
  for (const { mode, important } of found.circuits) {
    expect(important.length).toBeGreaterThan(0);
    const head = `mit_states ${mode}, crossattention_block, denoising: 2 samples, ${important.length} of 24 heads with mean |logit_diff|`;
    expect(first.stdout).toContain(head);
    for (const name of important) expect(first.stdout).toMatch(new RegExp(`^ {2}${name} +\\d`, "m"));
  }
  const universal = found.universal[0]!.heads!.join(" ") || "none";
  expect(first.stdout).toContain(
    `universal, crossattention_block, denoising, in mit_states image, mit_states text: ${universal}\n`,
  );
});

test("refuses a folder without a run, in one sentence", async () =>
  expectRefusal(await notice(["circuits", "data"]), /data: holds no run\.json, expected the folder of a run/));

test.for<[string, string[], RegExp]>([
  ["no run", [], /circuits: got arguments none, expected RUN…/],
  ["an unknown column", ["x", "--column", "kl"], /--column: got "kl", expected p_patched or p_diff/],
  ["a sigma that is no number", ["x", "--sigma", "two"], /--sigma: got "two", expected a number of at least 0/],
  ["a seed too large", ["x", "--seed", "4294967296"], /--seed: got 4294967296, expected a whole number below/],
])("refuses %s", ([, args, message]) =>
  expectUserError(
    async () => command.run(readArguments("circuits", command, args), new AbortController().signal),
    message,
  ),
);
