/** Circuits of made-up records against the notebook's arithmetic, written here a second time; and what may be put together. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { settingOf } from "../../src/patching/circuit/compare.ts";
import { findCircuits } from "../../src/patching/circuit/document.ts";
import { publishedHeads } from "../../src/patching/circuit/published.ts";
import { seal } from "../../src/patching/log.ts";
import type { RunRecord, RunSettings, SampleRecord } from "../../src/patching/record.ts";
import { settingsText } from "../../src/patching/settings.ts";
import { expectUserError } from "../cli/command-line.ts";
import { notebook } from "./notebook.ts";
import { records, settings } from "./synthetic.ts";

const root = mkdtempSync(join(tmpdir(), "notice-circuits-"));
afterAll(() => rmSync(root, { recursive: true }));

const kind = "crossattention_block";
const all = records(7, 79, [kind]);
const options = { sigma: 2, bootstrap: 20, seed: 1 };
const { data } = settings();
const isSample = (record: RunRecord): record is SampleRecord => !("failed" in record);

let runs = 0;
function runOf(list: readonly RunRecord[], change: Partial<RunSettings> = {}): string {
  const folder = join(root, `run-${runs++}`);
  mkdirSync(folder);
  writeFileSync(join(folder, "run.json"), settingsText(folder, settings({ kinds: [kind], ...change })));
  writeFileSync(join(folder, "results.jsonl"), list.map(seal).join(""));
  return folder;
}

const samplesOf = (task: string, mode: string) =>
  all.filter((record): record is SampleRecord => isSample(record) && record.task === task && record.mode === mode);
const faces = samplesOf("facial_expressions", "image");
const mit = samplesOf("mit_states", "image");
const one = (list: readonly RunRecord[], change: Partial<RunSettings> = {}) =>
  runOf(list, { tasks: [list[0]!.task], modes: [list[0]!.mode], ...change });

describe.each(["corrected", "upstream"] as const)("%s", (compat) => {
  // Image and text have lost different rows, which the original cannot do: D10 is told apart below.
  const run = runOf(all, { compat, defects: { D10: "corrected" } });
  test.for(["p_patched", "logit_diff", "effect"] as const)("the rule on %s is the notebook's", async (column) => {
    const found = await findCircuits([run], { ...options, column });
    expect(found.circuits.map(settingOf)).toEqual([
      ...["facial_expressions image", "facial_expressions text", "mit_states image", "mit_states text"],
      ...["svo_probes image", "svo_probes text"],
    ]);
    for (const circuit of found.circuits) {
      const expected = notebook(all, circuit, column, compat);
      expect(circuit.scores.map(({ strength }) => strength)).toEqual(expected.strength);
      expect(circuit).toMatchObject({
        threshold: expected.threshold,
        important: expected.important,
        missing: expected.missing,
        samples: expected.samples,
      });
    }
    const sets = found.circuits.map(({ important }) => important);
    const inAll = sets[0]!.filter((name) => sets.every((set) => set.includes(name)));
    expect(found.universal).toMatchObject([{ kind, direction: "denoising", heads: inAll }]);
    if (column === "logit_diff") expect(inAll).toEqual(["L3.H0"]);
    if (column === "effect") expect(found.circuits.some(({ missing }) => missing > 0)).toBe(true);
  });
});

test("the original's column is p_patched, ours logit_diff; one setting alone has no universal heads", async () => {
  const [corrected, upstream] = [
    one(faces),
    one(faces, { compat: "upstream", data: { ...data, samples: faces.length } }),
  ];
  expect((await findCircuits([corrected], options)).column).toBe("logit_diff");
  const found = await findCircuits([upstream], options);
  expect(found.column).toBe("p_patched");
  expect(found.universal).toMatchObject([{ heads: null, across: ["facial_expressions image"] }]);
});

test("universal is what every task and corruption has, at each threshold", async () => {
  const doubled = faces.map((record) => ({
    ...record,
    tables: record.tables.map((table) => {
      const { logit_diff } = table.scores;
      const like = (i: number) => (table.heads && i % 24 === 13 ? i - 1 : i); // L3.H1 like L3.H0
      return { ...table, scores: { ...table.scores, logit_diff: logit_diff.map((_, i) => logit_diff[like(i)]!) } };
    }),
  }));
  const { circuits, universal } = await findCircuits([one(doubled), one(mit)], options);
  expect(circuits.map(({ important }) => important)).toEqual([["L3.H0", "L3.H1"], ["L3.H0"]]);
  expect(universal[0]!.heads).toEqual(["L3.H0"]);
  universal[0]!.sensitivity.forEach(({ heads }, i) => {
    const [first, second] = circuits.map(({ sensitivity }) => sensitivity[i]!.important);
    expect(heads).toEqual(first!.filter((name) => second!.includes(name)));
  });
});

test("a head at the threshold is important: where all are alike, all are", async () => {
  const alike = faces.map((record) => ({
    ...record,
    tables: record.tables.map((table) => {
      const logit_diff = table.scores.logit_diff.map(() => 0.5);
      return { ...table, scores: { ...table.scores, logit_diff } };
    }),
  }));
  const { circuits } = await findCircuits([one(alike)], options);
  expect(circuits[0]).toMatchObject({ threshold: 0.5, deviation: 0, rank_correlation: null });
  expect(circuits[0]!.important).toHaveLength(24);
});

test("runs of other tasks and shards of one are put together, whatever their order", async () => {
  const parts = [one(faces.slice(0, 5), { shard: [0, 2] }), one(faces.slice(5), { shard: [1, 2] }), one(mit)];
  const both = await findCircuits(parts, options);
  const { runs: _, ...whole } = await findCircuits([runOf([...faces, ...mit])], options);
  expect(both).toMatchObject(whole);
  expect((await findCircuits(parts.toReversed(), options)).circuits).toEqual(both.circuits);
});

test("the last record of a sample counts; failed ones and those without the answer's token are left out and counted", async () => {
  const [first, second, third, ...rest] = faces;
  const failed = ({ key, sample, task, mode }: SampleRecord) => ({ key, sample, task, mode, failed: "no picture" });
  const again = { ...first!, tables: mit[0]!.tables, answer_token: mit[0]!.answer_token, tokens: mit[0]!.tokens };
  const list = [again, failed(first!), first!, second!, failed(second!), { ...third!, answer_token: null }, ...rest];
  const found = await findCircuits([one(list)], options);
  const expected = await findCircuits([one([first!, ...rest])], options);
  expect(found.circuits[0]!.scores).toEqual(expected.circuits[0]!.scores);
  expect(found.circuits[0]!.left_out).toEqual({
    "failed in the sweep": 1,
    "the correct answer's token was not found or not swept": 1,
  });
});

/** As a sweep of some tokens only writes a record. */
function swept(record: SampleRecord, tokens: readonly number[]): SampleRecord {
  const tables = record.tables.map((table) => {
    const width = table.layers * (table.heads?.length ?? 1);
    const rows = <T>(values: readonly T[]) => tokens.flatMap((t) => values.slice(t * width, (t + 1) * width));
    const scores = Object.fromEntries(
      Object.entries(table.scores).map(([name, values]) => [name, rows<unknown>(values)]),
    );
    return { ...table, tokens: tokens.length, at: [...tokens], scores: scores as unknown as typeof table.scores };
  });
  return { ...record, tables };
}

test("a table of chosen tokens: the answer's row among them, or the only one", async () => {
  const whole = await findCircuits([one(faces)], options);
  const answers = await findCircuits([one(faces.map((record) => swept(record, [1, record.answer_token!])))], options);
  expect(answers.circuits).toEqual(whole.circuits);
  const last = await findCircuits([one(faces.map((record) => swept(record, [record.tokens.length - 1])))], options);
  const moved = faces.map((record) => ({ ...record, answer_token: record.tokens.length - 1 }));
  expect(last.circuits[0]).toEqual({ ...(await findCircuits([one(moved)], options)).circuits[0]!, token: "only" });
});

test("LLaVA's heads as the original patches them (D7): the row that it means, and the samples that it loses", async () => {
  const shifted = faces.map((record, i): SampleRecord => {
    const { tables, ...rest } = swept(record, [record.answer_token!]);
    return {
      ...rest,
      tables: tables.map((table) => ({ ...table, at: [2], ...(i < 2 && { dropped: "past the end" }) })),
    };
  });
  const run = (more: Partial<RunSettings["defects"]>) =>
    one(shifted, {
      compat: "upstream",
      defects: { D7: "upstream", ...more },
      data: { ...data, samples: faces.length },
    });
  const found = await findCircuits([run({ D10: "corrected" })], options);
  expect(found.circuits[0]).toMatchObject({
    token: "answer",
    samples: faces.length - 2,
    left_out: { "the original loses this row (D7)": 2 },
  });
  expect(found.circuits[0]!.scores.map(({ strength }) => strength)).toEqual(
    notebook(faces.slice(2), { task: "facial_expressions", mode: "image", kind }, "p_patched", "upstream").strength,
  );
  await expectUserError(() => findCircuits([run({})], options), /has \d+ records of image .* for \d+ rows; .* \(D10\)/);
});

test("noising counts from the clean run: a head that does nothing scores 0, and both ways stand side by side", async () => {
  const still = faces.map((record): SampleRecord => {
    const clean = Math.fround(
      Math.fround(record.clean.correct - record.clean.incorrect) -
        Math.fround(record.corrupt.correct - record.corrupt.incorrect),
    );
    const tables = record.tables.map((table) => {
      const width = table.layers * (table.heads?.length ?? 1);
      const head = (i: number) => i % width;
      const logit_diff = table.scores.logit_diff.map((_, i) => (head(i) === 13 ? Math.fround(clean - 0.5) : clean));
      return { ...table, scores: { ...table.scores, logit_diff } };
    });
    return { ...record, tables };
  });
  const found = await findCircuits([one(faces), one(still, { direction: "noising" })], options);
  const noising = found.circuits.find(({ direction }) => direction === "noising")!;
  expect(noising.important).toEqual(["L3.H1"]);
  expect(noising.scores[13]!.mean).toBeCloseTo(-0.5, 6);
  expect(noising.scores.filter(({ strength }) => strength !== 0)).toHaveLength(1);
  expect(found.two_ways).toMatchObject([{ both: [], denoising_only: ["L3.H0"], noising_only: ["L3.H1"] }]);
});

describe("refuses", () => {
  const { model } = settings();
  test.for<[string, () => string[], RegExp]>([
    [
      "another model",
      () => [one(faces), one(mit, { model: { ...model, name: "x", weights_sha256: "b" } })],
      /model is blip-mini and x;/,
    ],
    [
      "other weights under one name",
      () => [one(faces), one(mit, { model: { ...model, weights_sha256: "b" } })],
      /weights a1a1a1a1\) and .* weights b\)/,
    ],
    ["another compatibility", () => [one(faces), one(mit, { compat: "upstream" })], /compat is corrected and upstream/],
    [
      "another defect",
      () => [one(faces), one(mit, { defects: { D4: "upstream" } })],
      /defects\.D4 is corrected and upstream; defects\.D5 is corrected and nothing/,
    ],
    [
      "other data of a task",
      () => [one(faces), one(faces, { data: { ...data, sha256: "e" }, direction: "noising" })],
      /data\.sha256 \(facial_expressions\) is d+ and e;/,
    ],
    [
      "a sample in two runs",
      () => [one(faces), one(faces.slice(3, 4))],
      /sample \d+ of facial_expressions image, crossattention_block, denoising is in .*run-\d+ and in .*run-\d+; give one/,
    ],
    ["a run twice", () => [one(faces)].flatMap((run) => [run, `${run}/`]), /is given twice/],
    [
      "other heads",
      () => [one(faces), one([lessHeads(faces[0]!)])],
      /heads 0,1,2,3 in .* and 0,1 in .*; sweep the same heads/,
    ],
    [
      "samples that all lack the answer's token",
      () => [one(faces.map((record) => ({ ...record, answer_token: null })))],
      /no sample of .* has usable scores of single heads \(the correct answer's token was not found or not swept\);/,
    ],
    [
      "no heads",
      () => [one(faces.map((record) => ({ ...record, tables: record.tables.slice(0, 1) })))],
      /found no scores of single heads .* --heads all/,
    ],
    [
      "rows that the original has lost (D10)",
      () => [one(faces, { compat: "upstream", data: { ...data, samples: 99 } })],
      /has \d+ records of image crossattention_block for 99 rows; the original, .* \(D10\)/,
    ],
  ])("%s", ([, folders, message]) => expectUserError(() => findCircuits(folders(), options), message));
});

function lessHeads(record: SampleRecord): SampleRecord {
  return {
    ...record,
    sample: 70,
    tables: record.tables.map((table) => (table.heads ? { ...table, heads: [0, 1] } : table)),
  };
}

test("published heads are marks for models of that shape alone", () => {
  const sites = (layers: number) =>
    Array.from({ length: layers }, (_, i) => `text_encoder.encoder.layer.${i}.crossattention.self`);
  const heads = (count: number) => [...Array(count).keys()];
  expect(publishedHeads({ sites: sites(12), heads: heads(12) })).toEqual({
    model: "BLIP",
    heads: ["L3.H0", "L5.H3", "L0.H11"],
  });
  expect(publishedHeads({ sites: sites(6), heads: heads(4) })).toBeNull();
  expect(publishedHeads({ sites: sites(12).map((site) => site.replace("cross", "")), heads: heads(12) })).toBeNull();
});
