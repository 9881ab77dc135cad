/** What is chosen out of answered rows, against pandas (test/fixtures/make/selection.py has the same frames). */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Compat, dataDefects, selectDefects } from "../../src/data/defects.ts";
import type { Task } from "../../src/data/sample.ts";
import { readDataFile } from "../../src/data/samples.ts";
import { select } from "../../src/data/select.ts";
import { readTable, saveTable } from "../../src/data/table.ts";
import { expectUserError } from "../cli/command-line.ts";

const pandas = JSON.parse(readFileSync("test/fixtures/data/selection.json", "utf8")) as {
  faces: number[];
  mit: number[];
  svo: { size: number; rows: number[]; prompts: number[] };
};

const root = mkdtempSync(join(tmpdir(), "notice-select-"));
afterAll(() => rmSync(root, { recursive: true }));

type Row = Record<string, string>;

const emotions = "angry disgusted fearful happy neutral sad surprised".split(" ");
const faces = Array.from({ length: 5000 }, (_, i): Row => {
  const [a, b] = [emotions[(i * 5) % 7]!, emotions[(((i * 5) % 7) + 1 + (i % 6)) % 7]!];
  const options = i % 3 === 0 ? `${b} or ${a}` : `${a} or ${b}`;
  return row(i, a, i % 11 === 0 ? b : a, `Is this person feeling ${options}?`);
});

const words = "wet dry old new small large thick thin mossy molten eroded frayed".split(" ");
const mit = Array.from({ length: 2400 }, (_, i): Row => {
  const j = (i * 7) % 12;
  const [a, b] = [words[j]!, words[(j + 1 + (i % 11)) % 12]!];
  const state = ["color", "shape", "texture"][Math.floor(j / 4)]!;
  return { ...row(i, a, i % 13 === 0 ? b : a, `Is this thing ${i % 5 < 2 ? `${a} or ${b}` : `${b} or ${a}`}?`), state };
});

const svo = Array.from({ length: 3000 }, (_, i): Row => {
  const flag = i % 15 < 7 ? "subj" : i % 15 < 12 ? "obj" : "verb";
  const [clean, corrupt] = i < 1500 ? ["p", "n"] : ["n", "p"];
  return {
    ...row(i, "Red", "red", i % 19 === 0 ? "is it red?" : `is red or blue${i % 2 ? "?" : ""}`),
    clean_image_path: clean,
    corrupt_image_path: corrupt,
    corrupt_prompt: i % 17 === 0 ? "NO PROMPT MADE" : `it ${i} goes or stays?`,
    pos_triplet: "red,is,it",
    neg_triplet: "blue,is,it",
    pos_url: "p",
    neg_url: "n",
    ...Object.fromEntries(["subj", "verb", "obj"].map((name) => [`${name}_neg`, name === flag ? "True" : "False"])),
  };
});

function row(label: number, correct: string, generated: string, prompt: string): Row {
  return {
    clean_image_path: `${label}.jpg`,
    corrupt_image_path: "other.jpg",
    clean_prompt: prompt,
    corrupt_prompt: "Is it this or that?",
    correct_answer: correct,
    incorrect_answer: "blue",
    generated_text: generated,
    label: String(label),
  };
}

let files = 0;

async function choose(
  task: Task,
  rows: readonly Row[],
  compat: Compat,
  except: string[] = [],
  perGroup?: number,
  seed = 1,
) {
  const [data, out] = [join(root, `${files}.csv`), join(root, `${files++}-chosen.csv`)];
  await saveTable(
    data,
    Object.keys(rows[0]!),
    rows.map((cells) => Object.values(cells)),
  );
  const defects = dataDefects(selectDefects, compat, except);
  const manifest = await select({ task, data, seed, out, compat, defects, perGroup });
  const bytes = readFileSync(out);
  const table = readTable(out, bytes, []);
  return { manifest, out, bytes, rows: table.rows, labels: table.rows.map(({ label }) => Number(label)) };
}

test.for(["corrected", "upstream"] as const)(
  "faces, %s: the rows that pandas draws of each emotion and order",
  async (compat) => {
    const { labels, manifest, rows } = await choose("facial_expressions", faces, compat);
    expect(labels).toEqual(pandas.faces);
    expect(manifest.groups["happy second"]).toMatchObject({ right: 217, chosen: 217, short: 33 });
    expect(manifest.drops).toEqual({ "answered wrongly": 455, "not drawn": 4545 - pandas.faces.length });
    for (const { clean_prompt, correct_answer, correct_first } of rows)
      expect(clean_prompt!.includes(`feeling ${correct_answer} or`)).toBe(correct_first === "True");
  },
);

describe("MIT-States", () => {
  test("upstream: the rows that pandas draws, with duplicates (D18)", async () => {
    const { labels } = await choose("mit_states", mit, "upstream", [], undefined, 4);
    expect(labels).toEqual(pandas.mit);
    expect(new Set(labels).size).toBeLessThan(labels.length);
  });

  test("corrected: every answer in every order, each row once", async () => {
    const { labels, rows, manifest } = await choose("mit_states", mit, "corrected", [], 60);
    expect(new Set(labels).size).toBe(360);
    for (const word of words) {
      const own = rows.filter(({ correct_answer }) => correct_answer === word);
      expect(new Set(own.map(({ correct_first }) => correct_first))).toEqual(new Set(["True", "False"]));
    }
    expect(Object.values(manifest.groups).map(({ chosen }) => chosen)).toEqual(Array(6).fill(60));
  });

  test("upstream: says that the original stops where a state has too few", () =>
    expectUserError(
      () => choose("mit_states", mit.slice(0, 30), "upstream"),
      /state color: prompts with "\w+" are too few, and the original stops there \(D18\); leave out --compat upstream/,
    ));
});

describe("SVO-Probes", () => {
  const { size } = pandas.svo;

  test("upstream: pandas' rows twice, a short group as the one before, prompts of other rows (D11, D12)", async () => {
    const { labels, rows, manifest } = await choose("svo_probes", svo, "upstream", [], size);
    expect(manifest.empty_prompts).toBe(pandas.svo.prompts.filter((label) => label === -1).length);
    expect(manifest.empty_prompts).toBeGreaterThan(0);
    expect(labels).toEqual(pandas.svo.rows);
    expect(rows.map(({ corrupt_prompt }) => Number(corrupt_prompt!.split(" ")[1] ?? -1))).toEqual(pandas.svo.prompts);
    for (const { corrupt_prompt, verb_neg } of rows)
      expect(corrupt_prompt).toMatch(verb_neg === "True" ? /^it \d+ going or staying\?$/ : /^$|goes or stays\?$/);
  });

  test("corrected: both directions, own prompts, short groups said aloud", async () => {
    const { labels, rows, manifest } = await choose("svo_probes", svo, "corrected", [], size);
    expect(new Set(labels).size).toBe(labels.length);
    expect(Object.keys(manifest.groups)).toEqual(
      ["subj", "obj", "verb"].flatMap((place) => [`${place} positive`, `${place} negative`]),
    );
    expect(rows.filter(({ clean_image_path }) => clean_image_path === "n").length).toBeGreaterThan(1000);
    expect(manifest.groups["verb negative"]!.short).toBeGreaterThan(0);
    for (const { label, clean_prompt, corrupt_prompt } of rows) {
      expect(corrupt_prompt).toBe(`it ${label} goes or stays?`);
      expect(clean_prompt).toBe("is red or blue?");
    }
  });

  test("corrected but for D12: each row twice", async () => {
    const { labels } = await choose("svo_probes", svo, "corrected", ["D12"], 100);
    expect(labels).toHaveLength(600);
    expect(labels.slice(0, 100)).toEqual(labels.slice(100, 200));
  });

  test("upstream: says that the original stops where the first group is short", () =>
    expectUserError(
      () => choose("svo_probes", svo, "upstream", [], 2000),
      /group subj positive: has \d+ rows, expected 2000, and the original stops there \(D11\); give --per-group/,
    ));
});

test("the same seed gives the same bytes, another seed other rows", async () => {
  const of = (seed: number) => choose("mit_states", mit, "corrected", [], 50, seed);
  const [first, again, other] = [await of(7), await of(7), await of(8)];
  expect(first.bytes.equals(again.bytes)).toBe(true);
  expect(other.labels).not.toEqual(first.labels);
});

test("a model that answers with a capital is right, and its answer is kept as it is", async () => {
  const capital = faces
    .slice(0, 50)
    .map((cells) => ({ ...cells, generated_text: cells.correct_answer!.toUpperCase() }));
  const { rows } = await choose("facial_expressions", capital, "corrected");
  expect(rows).toHaveLength(50);
  expect(rows.every(({ generated_text }) => /^[A-Z]+$/.test(generated_text!))).toBe(true);
});

test("takes the original's other names for columns, and 'Error in generation' for no answer", async () => {
  const renamed = faces.slice(1, 11).map(({ generated_text, ...cells }, i) => ({
    ...cells,
    generated_answer: i < 2 ? "Error in generation" : generated_text!,
  }));
  const { manifest, out } = await choose("facial_expressions", renamed, "corrected");
  expect(manifest.drops).toEqual({ "error in generation": 2 });
  expect((await readDataFile(out, "facial_expressions")).rows).toHaveLength(8);
});

test("names an unknown defect, a column that lacks, and a file without right answers", async () => {
  await expectUserError(
    () => dataDefects(selectDefects, "upstream", ["D4"]),
    /--except: got "D4", expected some of D11,D12,D18,D22/,
  );
  const [{ generated_text, ...unanswered }] = [faces[0]!];
  await expectUserError(
    () => choose("facial_expressions", [unanswered], "corrected"),
    /has no column "generated_text"; nearest: .* rename or add it in row 1/,
  );
  await expectUserError(() => choose("facial_expressions", [faces[0]!], "corrected"), /no row .* was answered rightly/);
});
