/** A study of a few pictures: killed and gone on with, and given again, it comes to the same bytes. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readArguments } from "../../src/cli/command.ts";
import { command } from "../../src/cli/study.ts";
import type { DefectEffects } from "../../src/patching/defect-effects.ts";
import { expectSameFiles, filesOf } from "../patching/folder-files.ts";
import { expectUserError, notice } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-study-"));
const [data, out, whole] = ["data", "study", "whole"].map((name) => join(root, name)) as [string, string, string];
afterAll(() => rmSync(root, { recursive: true }));

const given = [
  "--data",
  data,
  "--models",
  "blip-mini",
  "--tasks",
  "mit_states",
  "--kinds",
  "crossattention_block",
  "--defects",
  "1",
];
const study = (...more: string[]) => ["study", ...given, "--out", out, ...more];

let expected: Map<string, Buffer>;
let said: string;

beforeAll(async () => {
  for (const name of ["states.json", "images/red heart", "images/blue heart"])
    cpSync(join("data/miniature/mit_states", name), join(data, "mit_states", name), {
      ...{ recursive: true, preserveTimestamps: true },
    });
  const { code, stdout, stderr } = await notice(study("--samples", "2"));
  expect(code, stderr).toBe(0);
  said = stdout.replace(out, "STUDY");
  renameSync(out, whole);
  expected = filesOf(whole);
});

test("says of each step in a line what it came to", () =>
  expect(said).toMatchInlineSnapshot(`
  "mit_states, blip-mini: prepare: 6 rows, 7 pictures, 2 left out
  mit_states, blip-mini: evaluate: 6 of 6 right, 100.0 %
  mit_states, blip-mini: select: 6 rows of 2 groups, 2 of them short
  mit_states, blip-mini: sweep: 4 sweeps, 312 cells, 0 failed
  mit_states, blip-mini: defects: 1 sample; heads lost and new: D4 1 and 2, D8 0 and 0, D9 0 and 0, column 1 and 0, all 1 and 2, original 2 and 1
  blip-mini: circuits: 4 of 24 heads important somewhere, 0 everywhere
  STUDY/index.html
  "
`));

/** As a kill leaves them while the last sweep begins. */
function breakOffDefects(): void {
  const [from, to] = [whole, out].map((folder) => join(folder, "mit_states", "blip-mini")) as [string, string];
  cpSync(join(from, "defects"), join(to, "defects"), { recursive: true });
  rmSync(join(to, "defects", "defects.json"));
  const torn = readFileSync(join(to, "defects", "upstream", "results.jsonl")).subarray(0, 1000);
  writeFileSync(join(to, "defects", "upstream", "results.jsonl"), torn);
  const stamp = JSON.parse(readFileSync(join(from, "defects.stamp.json"), "utf8"));
  writeFileSync(join(to, "defects.stamp.json"), `${JSON.stringify({ ...stamp, files: null, found: null }, null, 2)}\n`);
}

test("killed while it answers, sweeps or tries defects, it goes on to the same bytes; given again it does nothing", async () => {
  for (const moment of [/1 of \d+ rows/, /1 of 4 sweeps/]) {
    const { code } = await notice(study("--samples", "2"), {
      watch(child, said) {
        if (moment.test(said)) child.kill("SIGKILL");
      },
    });
    expect(code).toBeNull();
  }
  breakOffDefects();
  const resumed = await notice(study("--samples", "2"));
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(resumed.stderr).not.toMatch(/1 of 4 sweeps/);
  expect(resumed.stderr.match(/1 of 2 sweeps/g)).toHaveLength(1);
  expectSameFiles(out, expected);
  const again = await notice(study("--samples", "2"));
  expect(again.stdout.match(/, unchanged\n/g)).toHaveLength(6);
  expectSameFiles(out, expected);
});

test("what a change concerns is made anew, and what took long is set aside", async () => {
  const folder = join(out, "mit_states", "blip-mini");
  writeFileSync(join(folder, "chosen.csv"), "damaged");
  const { stdout, stderr } = await notice(study("--samples", "1"));
  expect(stdout, stderr).toMatch(
    /prepare: .*, unchanged\n.*evaluate: .*, unchanged\n.*select: .* short\n.*sweep: 2 sweeps, .* failed\n.*defects: .*, unchanged\n.*circuits: .* everywhere\n/,
  );
  expect(readFileSync(join(folder, "chosen.csv"))).toEqual(expected.get("mit_states/blip-mini/chosen.csv"));
  const [name] = readdirSync(join(folder, "superseded"));
  expect(readFileSync(join(folder, "superseded", name!, "run", "results.jsonl"))).toEqual(
    expected.get("mit_states/blip-mini/run/results.jsonl"),
  );
});

test("each defect is tried on its own, and told in defects.json and on the page", () => {
  const folder = "mit_states/blip-mini/defects";
  const { samples, effects }: DefectEffects = JSON.parse(expected.get(`${folder}/defects.json`)!.toString());
  expect(samples).toBe(1);
  const states = ["corrected", "D4", "D8", "D9", "upstream"].map((id) => {
    const { defects, kinds, head_positions } = JSON.parse(expected.get(`${folder}/${id}/run.json`)!.toString());
    expect([kinds, head_positions]).toEqual([["crossattention_block"], ["answer"]]);
    return Object.keys(defects).filter((defect) => defects[defect] === "upstream");
  });
  expect(states).toEqual([[], ["D4"], ["D8"], ["D9"], ["D4", "D5", "D8", "D9"]]);
  const html = expected.get("index.html")!.toString();
  const ids = effects.map(({ id }) => id);
  for (let n = 1; n <= 22; n++) if (![6, 7].includes(n)) expect(ids.join(), `D${n}`).toMatch(covers(n));
  for (const effect of effects) {
    expect(html).toContain(effect.what);
    if ("circuits" in effect)
      for (const { lost } of effect.circuits) for (const name of lost) expect(html).toContain(name);
  }
});

/** `D1–D3` covers 2. */
const covers = (n: number) => (n < 4 ? /D1–D3/ : [19, 20, 21].includes(n) ? /D19–D21/ : new RegExp(`D${n}\\b`));

test("the page stands alone, tells the numbers and links what is beside it", () => {
  const html = expected.get("index.html")!.toString();
  const links = [...html.matchAll(/href="([^"#]+)"/g)].map(([, path]) => path!);
  expect(links).toEqual(["circuits/blip-mini/circuits.html", "mit_states/blip-mini/run/report.html"]);
  for (const path of links) expect(expected.has(path), path).toBe(true);
  expect(html).not.toMatch(/(src|url)\s*[=(]\s*"?https?:|undefined|NaN|\[object/);
  const circuits = JSON.parse(expected.get("circuits/blip-mini/circuits.json")!.toString());
  expect(html.match(/<figure class="map">/g)).toHaveLength(circuits.circuits.length);
  for (const name of circuits.circuits.flatMap(({ important }: { important: string[] }) => important))
    expect(html).toContain(`<td>${name}`);
});

test.for<[string, string[], RegExp]>([
  ["an unknown task", ["--tasks", "mit"], /--tasks: got "mit", expected some of facial_expressions,mit_states/],
  ["no model", ["--models", ","], /--models: got ",", expected a model, such as blip-mini/],
  ["an unknown step", ["--until", "merge"], /--until: got "merge", expected prepare or evaluate or select or sweep/],
  ["a size that is no number", ["--per-group", "all"], /--per-group: got "all", expected a whole number/],
  ["an exception that no step knows", ["--except", "D7"], /--except: got "D7", expected some of D4,D5,D8,D9,D11,/],
])("refuses %s", ([, args, message]) => {
  const options: Record<string, string> = { "--data": data, "--models": "blip-mini", "--out": join(root, "refused") };
  const all = { ...options, [args[0]!]: args[1]! };
  return expectUserError(
    async () => command.run(readArguments("study", command, Object.entries(all).flat()), new AbortController().signal),
    message,
  );
});
