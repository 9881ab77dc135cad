/** Answers of the miniatures to rows of their data set: whole, interrupted, with a picture missing. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openGpu } from "#gpu";
import { type EvaluateOptions, evaluate, shortAnswer } from "../../src/data/evaluate.ts";
import { type Cells, readTable, saveTable } from "../../src/data/table.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { hashOf } from "../../src/models/hash.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { expectUserError } from "../cli/command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-evaluate-"));
const source = resolve("data/miniature/samples.csv");
const table = readTable(source, readFileSync(source), []);
const data = join(root, "rows.csv");
let gpu: Gpu;
let blip: Model;

/** Picture paths as they are seen from the folder of the test's file. */
const near = (cells: Cells, column: string) =>
  column.endsWith("_image_path") ? relative(root, join(dirname(source), cells[column]!)) : cells[column]!;

beforeAll(async () => {
  const [faces, mit] = ["facial_expressions", "mit_states"].map((task) =>
    table.rows.filter((row) => row.task === task),
  );
  const rows = [mit![0]!, mit![12]!, { ...mit![20]!, clean_image_path: "gone.jpg" }, faces![0]!, mit![22]!];
  await saveTable(
    data,
    table.columns,
    rows.map((cells) => table.columns.map((column) => near(cells, column))),
  );
  gpu = await openGpu();
  blip = await loadModel(gpu, "blip-mini");
});
afterAll(() => {
  blip?.close();
  gpu?.close();
  rmSync(root, { recursive: true });
});

const read = (path: string) => readTable(path, readFileSync(path), []);
const manifestOf = (path: string) => JSON.parse(readFileSync(path.replace(".csv", ".manifest.json"), "utf8"));
const mitOnly = (out: string): EvaluateOptions => ({ data, task: "mit_states", out: join(root, out) });

test("keeps all columns, adds what the model answers, counts by group; a missing picture has no answer and a reason", async () => {
  const options = mitOnly("study/whole.csv");
  const manifest = await evaluate(blip, options);
  const { columns, rows } = read(options.out);
  expect(columns).toEqual([...table.columns, "generated_text"]);
  expect(rows.map(({ generated_text }) => generated_text)).toEqual(
    rows.map(({ correct_answer }, i) => (i === 2 ? "" : correct_answer)),
  );
  const [before, after] = [read(data).rows[0]!, rows[0]!];
  expect(resolve(root, "study", after.clean_image_path!)).toBe(resolve(root, before.clean_image_path!));
  expect(after.clean_prompt).toBe(before.clean_prompt);
  expect(manifest.all).toEqual({ answered: 3, right: 3, accuracy: 1 });
  expect(Object.values(manifest.groups).reduce((sum, { right }) => sum + right, 0)).toBe(3);
  expect(manifest.failed).toEqual([{ row: 4, reason: expect.stringMatching(/gone\.jpg: found no such file/) }]);
  expect(manifest.csv_sha256).toBe(hashOf(readFileSync(options.out)));
  expect(manifestOf(options.out)).toEqual(manifest);
});

describe("an interrupted file", () => {
  const out = join(root, "cut.csv");
  test("goes on where it stopped, also behind a torn row, and ends with the same bytes", async () => {
    const stop = new AbortController();
    const onProgress = ({ answered }: { answered: number }) => answered === 2 && stop.abort();
    await expect(evaluate(blip, { ...mitOnly("cut.csv"), signal: stop.signal, onProgress })).rejects.toThrow(/abort/);
    expect(read(out).rows).toHaveLength(2);
    writeFileSync(out, `${readFileSync(out, "utf8")}mit_states,texture,"a torn\r\n`);
    const seen: number[] = [];
    await evaluate(blip, { ...mitOnly("cut.csv"), onProgress: ({ done }) => seen.push(done) });
    expect(seen).toEqual([3, 4]);
    await evaluate(blip, mitOnly("straight.csv"));
    expect(readFileSync(out)).toEqual(readFileSync(join(root, "straight.csv")));
  });

  test("tries again what failed, and nothing else", async () => {
    const seen: number[] = [];
    await evaluate(blip, { ...mitOnly("cut.csv"), onProgress: ({ done }) => seen.push(done) });
    expect(seen).toEqual([3]);
  });

  test.for<[string, Partial<EvaluateOptions>, RegExp]>([
    [
      "another task",
      { task: "facial_expressions" },
      /cut\.csv: was made with other settings .*task "mit_states" -> "facial_expressions";/,
    ],
    ["its own data", { data: out }, /cut\.csv: is the data file itself/],
  ])("refuses %s", ([, change, message]) =>
    expectUserError(() => evaluate(blip, { ...mitOnly("cut.csv"), ...change }), message),
  );

  test("refuses rows of another data file, and a file without its manifest", async () => {
    writeFileSync(out, readFileSync(out, "utf8").replace("Is this", "Was this"));
    await expectUserError(() => evaluate(blip, mitOnly("cut.csv")), /cut\.csv: row 2 is not that of the data file/);
    rmSync(join(root, "cut.manifest.json"));
    await expectUserError(() => evaluate(blip, mitOnly("cut.csv")), /\(stored -> now\): format nothing -> 1/);
  });
});

test("LLaVA: all tasks of a file, the first line of the reply as it is written", async () => {
  const llava = await loadModel(gpu, "llava-mini");
  try {
    const out = join(root, "llava.csv");
    const { all, groups } = await evaluate(llava, { data, out });
    const { rows } = read(out);
    const expected = [0, 1, 3, 4].map((i) => [i, read(data).rows[i]!.llava_answer]);
    expect([0, 1, 3, 4].map((i) => [i, rows[i]!.generated_text])).toEqual(expected);
    expect(all).toEqual({ answered: 4, right: 4, accuracy: 1 });
    expect(groups.angry).toEqual({ answered: 1, right: 1, accuracy: 1 });
  } finally {
    llava.close();
  }
});

test("what is kept of a reply", () => {
  expect(shortAnswer(" Red. \nIt is red.", true)).toBe("Red");
  expect(shortAnswer("Red..", true)).toBe("Red.");
  expect(shortAnswer(" red. ", false)).toBe("red.");
});
