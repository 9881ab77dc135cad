import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, expect, test } from "vitest";
import { tasks } from "../../src/data/sample.ts";
import { balanced, checkPictures, type DataRow, readDataFile } from "../../src/data/samples.ts";

const path = "data/miniature/samples.csv";
const cells = parse(readFileSync(path, "utf8"), { columns: true }) as Record<string, string>[];
const all = await readDataFile(path);

const root = mkdtempSync(join(tmpdir(), "notice-samples-"));
afterAll(() => rmSync(root, { recursive: true }));
let files = 0;

/** A data file of these columns; a cell with a comma is quoted. */
function fileOf(rows: readonly Record<string, string>[], rename: Record<string, string> = {}): string {
  const columns = Object.keys(rows[0]!);
  const line = (words: readonly string[]) => words.map((word) => (word.includes(",") ? `"${word}"` : word)).join(",");
  const lines = [columns.map((name) => rename[name] ?? name), ...rows.map((row) => columns.map((name) => row[name]!))];
  const file = join(root, `${files++}.csv`);
  writeFileSync(file, `${lines.map(line).join("\n")}\n`);
  return file;
}

const without = (names: readonly string[]) =>
  cells.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name))));

test("reads the miniature's 79 rows of three tasks, in order, with pictures that are there", () => {
  expect(all.rows).toHaveLength(79);
  expect(all.rows.map(({ index }) => index)).toEqual([...cells.keys()]);
  checkPictures(all, all.rows);
  for (const [i, row] of all.rows.entries()) {
    expect(row).toMatchObject({
      task: cells[i]!.task,
      group: cells[i]!.group,
      cleanImagePath: cells[i]!.clean_image_path,
      cleanImage: join("data/miniature", cells[i]!.clean_image_path!),
      cleanPrompt: cells[i]!.clean_prompt,
      corruptPrompt: cells[i]!.corrupt_prompt,
      correctAnswer: cells[i]!.correct_answer,
      incorrectAnswer: cells[i]!.incorrect_answer,
    });
  }
  expect(new Set(all.rows.map(({ key }) => key)).size).toBe(79);
});

test.for(tasks)("keeps a row's index in the file where only %s is asked for", async (task) => {
  const { rows, sha256 } = await readDataFile(path, task);
  expect(sha256).toBe(all.sha256);
  expect(rows).toEqual(all.rows.filter((row) => row.task === task));
});

test("finds which option comes first, as the file's own column says", () => {
  for (const [i, { correctFirst, cleanPrompt }] of all.rows.entries())
    expect(correctFirst, cleanPrompt).toBe(cells[i]!.correct_first === "True");
});

test("names the roles of words", () => {
  const apple = all.rows.find(({ task }) => task === "mit_states")!;
  expect(Object.keys(apple.roles!)).toEqual(["noun"]);
  const svo = all.rows.find(({ task }) => task === "svo_probes")!;
  expect(Object.keys(svo.roles!)).toEqual(["subject", "verb", "object"]);
});

test("takes an incorrect answer that is left out from the triplets", async () => {
  const rows = without(["incorrect_answer"]).filter(({ task }) => task === "svo_probes");
  const read = await readDataFile(fileOf(rows), "svo_probes");
  const expected = all.rows.filter(({ task }) => task === "svo_probes");
  expect(read.rows.map(({ incorrectAnswer }) => incorrectAnswer)).toEqual(
    expected.map(({ incorrectAnswer }) => incorrectAnswer),
  );
});

test("reads triplets as the original prints them", async () => {
  const rows = without(["incorrect_answer"])
    .filter(({ task }) => task === "svo_probes")
    .slice(0, 1)
    .map((row) => ({ ...row, pos_triplet: "['woman', 'walk', 'rabbit']", neg_triplet: "['man', 'walk', 'rabbit']" }));
  const { rows: read } = await readDataFile(fileOf(rows));
  expect(read[0]).toMatchObject({
    incorrectAnswer: "man",
    roles: { subject: "woman", verb: "walk", object: "rabbit" },
  });
});

test("knows the picture columns by their other names, and does without columns that it can derive", async () => {
  const rows = without(["task", "group", "correct_first", "llava_answer"]).slice(29, 56);
  const names = { clean_image_path: "correct_image_path", corrupt_image_path: "incorrect_image_path" };
  const renamed = await readDataFile(fileOf(rows, names), "mit_states");
  const plain = await readDataFile(fileOf(rows), "mit_states");
  expect(renamed.rows).toEqual(plain.rows);
  expect(renamed.rows[0]).toMatchObject({ task: "mit_states", group: cells[29]!.state || cells[29]!.correct_answer });
  expect(renamed.sha256).not.toBe(plain.sha256);
});

test("takes absolute paths as they are, a byte order mark, CRLF and cells with line feeds", async () => {
  const header = "task,clean_image_path,corrupt_image_path,clean_prompt,corrupt_prompt,correct_answer,incorrect_answer";
  const file = join(root, "windows.csv");
  writeFileSync(file, `\ufeff${header}\r\nmit_states,/a/b.jpg,c.jpg,"Red,\nor blue?",Wet or dry?,blue,red\r\n\r\n`);
  const { rows } = await readDataFile(file);
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({
    cleanImage: "/a/b.jpg",
    corruptImage: join(root, "c.jpg"),
    cleanPrompt: "Red,\nor blue?",
    correctFirst: false,
  });
});

const pile = ({ group, correctFirst }: DataRow) => `${group} ${correctFirst}`;

test.for([1, 5, 12, 14, 29, 79, 1000])("balanced: %i rows, spread evenly over groups and orders", (count) => {
  const chosen = balanced(all.rows, count);
  expect(chosen).toHaveLength(Math.min(count, 79));
  expect(chosen.map(({ index }) => index)).toEqual(
    [...new Set(chosen.map(({ index }) => index))].sort((a, b) => a - b),
  );
  expect(chosen).toEqual(balanced(all.rows, count));
  const taken = (name: string) => chosen.filter((row) => pile(row) === name).length;
  const piles = [...new Set(all.rows.map(pile))];
  const most = Math.max(...piles.map(taken));
  // Where a pile gave two fewer than another it had no more to give.
  for (const name of piles)
    if (taken(name) < most - 1) expect(taken(name)).toBe(all.rows.filter((row) => pile(row) === name).length);
});

test("reads 20,000 rows, each with its own index and key", async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => ({ ...cells[i % 79]!, noun: `n${i}` }));
  const { rows } = await readDataFile(fileOf(many));
  expect(rows).toHaveLength(20_000);
  expect(rows.at(-1)!.index).toBe(19_999);
  expect(new Set(rows.map(({ key }) => key)).size).toBe(20_000);
  expect(balanced(rows, 10_000)).toHaveLength(10_000);
});
