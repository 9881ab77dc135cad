/** `dataset prepare`, `dataset select` and `import` as a user gives them. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { afterAll, expect, test } from "vitest";
import { readArguments } from "../../src/cli/command.ts";
import { prepare } from "../../src/cli/dataset.ts";
import { checkPictures, readDataFile } from "../../src/data/samples.ts";
import { readTable, saveTable } from "../../src/data/table.ts";
import { expectRefusal, expectUserError, notice, noticeJson } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-dataset-"));
afterAll(() => rmSync(root, { recursive: true }));

const given = (options: Readonly<Record<string, string>>) =>
  Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);

test("prepare, then select in another folder: a data file with pictures that are there, counted", async () => {
  const out = join(root, "mit.csv");
  const options = { task: "mit_states", data: "data/miniature", seed: "3", out };
  const prepared = await notice(["dataset", "prepare", ...given(options)]);
  expect(prepared.stderr).toMatch(/244 of 244 pictures/);
  expect(prepared.stdout).toMatch(/^156 rows, 205 pictures in /);
  expect(prepared.stdout).toMatch(/ 88 {2}left out: corrupt_image_path used by an earlier row/);
  expect(prepared.code).toBe(0);

  const table = readTable(out, readFileSync(out), []);
  const answers = table.rows.map((cells, i) => [...Object.values(cells), i % 4 === 0 ? "no" : cells.correct_answer!]);
  const data = join(root, "answered.csv");
  await saveTable(data, [...table.columns, "generated_text"], answers);
  const chosen = join(root, "study", "chosen.csv");
  const select = { task: "mit_states", data, seed: "1", "per-group": "6", out: chosen };
  const summary = await noticeJson<Record<string, unknown>>(["dataset", "select", ...given(select)]);
  expect(summary).toMatchObject({ step: "select", rows: 36, per_group: 6, compat: "corrected" });
  expect(JSON.parse(readFileSync(join(root, "study", "chosen.manifest.json"), "utf8")).csv_sha256).toBe(
    summary.csv_sha256,
  );
  const file = await readDataFile(chosen, "mit_states");
  expect(file.rows).toHaveLength(36);
  checkPictures(file, file.rows);

  const text = await notice(["dataset", "select", ...given({ ...select, compat: "upstream", except: "D18" })]);
  expect(text.stdout).toMatch(/^36 rows in /);
  expect(text.stdout).toMatch(/ 6 {2}color first +\d+ of \d+ right, +\d+\.\d %/);
});

test.for<[string, string[], RegExp]>([
  ["no seed", given({ task: "mit_states", data: "data/miniature", out: "x.csv" }), /dataset prepare: needs --seed N/],
  [
    "a seed too large",
    given({ task: "mit_states", data: ".", seed: "4294967296", out: "x.csv" }),
    /--seed: got 4294967296, expected a whole number below/,
  ],
  [
    "an unknown task",
    given({ task: "mit", data: ".", seed: "1", out: "x.csv" }),
    /--task: got "mit", expected facial_expressions or mit_states/,
  ],
  [
    "an unknown defect",
    given({ task: "mit_states", data: ".", seed: "1", out: "x.csv", except: "D23" }),
    /--except: got "D23", expected some of D8,D11,/,
  ],
  [
    "no CSV to write",
    given({ task: "mit_states", data: ".", seed: "1", out: "x.txt" }),
    /--out: got "x\.txt", expected a file that ends in \.csv/,
  ],
])("prepare refuses %s", ([, args, message]) =>
  expectUserError(
    () => prepare.run(readArguments("dataset prepare", prepare, args), new AbortController().signal),
    message,
  ),
);

test("dataset alone lists its commands; a misspelt one names the nearest", async () => {
  const calls = [["dataset"], ["dataset", "selct"], ["dataset", "select", "--help"]];
  const [alone, misspelt, help] = await Promise.all(calls.map((args) => notice(args)));
  expect(alone!.code).toBe(2);
  expect(alone!.stdout).toMatch(/^notice dataset prepare +make .*\nnotice dataset evaluate .*\nnotice dataset select /);
  expectRefusal(misspelt!, /unknown command "dataset selct"; nearest: dataset select/);
  expect(help!.stdout).toMatch(/usage: notice dataset select \[options\]/);
});

test("import: JSON, or arrays that NumPy reads; a pickle that calls is refused by name", async () => {
  const name = "test/fixtures/pickles/BLIP_temp_list_mit_states_image_corruption_text_encoder_output_2";
  const { code, stdout } = await notice(["import", `${name}.pkl`]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(`${name}.json`, "utf8")));

  const out = join(root, "scores.npz");
  expect(await noticeJson(["import", `${name}.pkl`, "--out", out])).toEqual({ out, records: 2 });
  const scores = unzipSync(readFileSync(out))["scores.npy"]!;
  const header = Buffer.from(scores.subarray(0, 128)).toString("latin1");
  expect(header).toMatch(/'descr': '<f4', 'fortran_order': False, 'shape': \(2, 9, 6, 4\)/);
  const values = new Float32Array(Uint8Array.from(scores.subarray(128)).buffer);
  const expected = JSON.parse(stdout).flatMap(({ scores }: { scores: number[][][] }) => scores.flat(2));
  expect([...values]).toEqual(expected);

  const marker = join(root, "marker");
  const bad = join(root, "bad.pkl");
  writeFileSync(bad, `cos\nsystem\n(S'touch ${marker}'\ntR.`);
  expectRefusal(
    await notice(["import", bad]),
    /asks for os\.system at byte 0, which no result file needs; nothing in it was run/,
  );
  expect(existsSync(marker)).toBe(false);
});
