import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { RunRecord, RunSettings, SampleRecord } from "../../src/patching/record.ts";
import { generated, generatedFile } from "../../src/patching/report/embed.ts";
import { combine } from "../../src/patching/report/grid.ts";
import { colourAt, place, scaleOf } from "../../src/patching/report/palette.ts";
import { gather } from "../../src/patching/report/reported.ts";
import { roleRows } from "../../src/patching/report/roles.ts";
import { tally } from "../../src/patching/report/tally.ts";
import { reportPage, reportWriter, strongestHeads } from "../../src/patching/report.ts";
import type { Pictures } from "../../src/patching/store.ts";
import { dataFile, records, settings } from "./synthetic.ts";

const pictures: Pictures = async (path) => readFileSync(new URL(encodeURI(path), dataFile));
const all = records(7);
const succeeded = all.filter((record): record is SampleRecord => !("failed" in record));

async function reportOf(list = records(7, 60, ["crossattention_block"]), from = pictures) {
  const writer = reportWriter(settings({ kinds: ["crossattention_block"] }));
  for (const record of list) writer.add(record);
  const files = new Map((await writer.files(from)).map(({ name, bytes }) => [name, Buffer.from(bytes)]));
  return { files, html: files.get("report.html")!.toString("utf8") };
}

test("the page loads nothing and holds its figures, also without scripts", async () => {
  const { files, html } = await reportOf();
  expect(html).not.toMatch(/https?:|@import|<link|src="(?!data:)/);
  const still = html.match(/<noscript>(.*?)<\/noscript>/s)![1]!;
  for (const task of ["facial_expressions", "mit_states"])
    expect(still).toContain(`>${task} - all groups - both orders<`);
  expect(still.match(/<svg/g)).toHaveLength(8);
  expect(html.match(/<article/g)).toHaveLength(12);
  expect(html.match(/<img src="data:image\/jpeg;base64,/g)).toHaveLength(24);
  expect(html).toContain("&quot;quoted&quot; &amp; &lt;cut short&gt;");
  expect(html).toContain("no evidence about the real model");
  expect(html).toContain("a1".repeat(32));
  const tables = JSON.parse(html.match(/id="tables">(.*?)<\/script>/s)![1]!);
  expect(tables).toHaveLength(1);
  expect(tables[0].tables).toHaveLength(8);
  const names = ["facial_expressions", "mit_states"].flatMap((task) =>
    ["image", "text"].flatMap((mode) =>
      ["heads", "heatmap"].flatMap((what) =>
        ["p_patched", "logit_diff"].flatMap((column) =>
          ["svg", "png"].map((ending) => `figures/${what}-${task}-${mode}-crossattention_block-${column}.${ending}`),
        ),
      ),
    ),
  );
  expect([...files.keys()].sort()).toEqual([...names, "report.html"].sort());
  for (const [name, bytes] of files) if (name.endsWith(".png")) expect(bytes.subarray(1, 4).toString()).toBe("PNG");
});

test("runs side by side: every section has a column for each, and what one lacks is said", async () => {
  const other = { ...settings(), model: { ...settings().model, name: "other-model" }, kinds: ["output"] };
  const make = (of: RunSettings, list: RunRecord[]) => {
    const gathering = gather(of);
    for (const record of list) gathering.add(record);
    return gathering.reported(pictures, null);
  };
  const few = records(7, 8, ["crossattention_block"]);
  const runs = [make(settings({ kinds: ["crossattention_block"] }), few), make(other, records(9, 4, ["output"]))];
  const html = await reportPage(runs);
  expect(/https?:|@import|<link|src="(?!data:)/.test(html)).toBe(false);
  expect(/>[^<]*(undefined|NaN)/.test(html.replace(/<script.*?<\/script>/gs, ""))).toBe(false);
  expect(html.match(/<title>(.*?)</)![1]).toBe("Activation patching of blip-mini and other-model");
  const parts = [...html.matchAll(/<section aria-labelledby="(\w+)-title">(.*?)<\/section>/gs)];
  for (const id of ["summary", "strongest", "checks", "settings"]) {
    const body = parts.find(([, name]) => name === id)![2]!;
    for (const { name } of runs) expect(body, id).toContain(`<h3 class="run">${name}</h3>`);
  }
  expect(html.match(/class="map"><\/div>/g)).toHaveLength(2 * 2);
  expect(html.match(/<select name="kind\d">/g)).toHaveLength(2);
  const json = JSON.parse(html.match(/id="tables">(.*?)<\/script>/s)![1]!);
  expect(json.map(({ name }: { name: string }) => name)).toEqual(["blip-mini", "other-model"]);
  expect(html.match(/<h3>other-model<\/h3><svg/g)).toHaveLength(1);
  const cards = html.match(/<article class="card">.*?<\/article>/gs)!;
  expect(cards.filter((card) => card.includes(">blip-mini</th>") && card.includes(">other-model</th>")).length).toBe(
    new Set(runs[1]!.samples.map(({ sample, task }) => `${sample} ${task}`)).size,
  );
});

test("the same records give the same bytes", async () => {
  const few = records(7, 8, ["crossattention_block"]);
  const [once, again] = [await reportOf(few), await reportOf(few)];
  for (const [name, bytes] of once.files) expect(again.files.get(name)!.equals(bytes), name).toBe(true);
});

test("says what is missing: pictures, samples, everything", async () => {
  const failed = all.filter((record) => "failed" in record);
  expect((await reportOf(failed)).html).toContain("No sample was finished.");
  const none = await reportOf([]);
  expect([...none.files.keys()]).toEqual(["report.html"]);
  expect(none.html).toContain("No self-checks were recorded.");
  const blind = await reportOf(records(7, 3, ["crossattention_block"]), async () => Promise.reject(new Error("gone")));
  expect(blind.html).toContain("picture not found");
});

test("a page holds no markup of the data", async () => {
  const evil = succeeded
    .slice(0, 1)
    .map((record) => ({ ...record, group: "</script><b>", clean_prompt: "<i>Is", tables: record.tables.slice(0, 1) }));
  const { html } = await reportOf(evil);
  expect(html).not.toMatch(/<\/script><b>|<i>/);
});

test("a heat map holds the mean over samples at each role", () => {
  const means = tally(settings());
  for (const record of succeeded) means.add(record);
  const table = means
    .tables()
    .find(
      ({ task, mode, kind, what }) =>
        task === "mit_states" && mode === "text" && kind === "output" && what === "tokens",
    )!;
  const chosen = succeeded.filter(
    ({ task, mode, group, correct_first }) =>
      task === "mit_states" && mode === "text" && group === "color" && correct_first,
  );
  const values = chosen.map(({ tokens, tables }) => {
    const token = tokens.findIndex(({ role, piece, pieces }) => role === "correct" && piece === pieces - 1);
    return tables.find(({ kind, heads }) => kind === "output" && heads === null)!.scores.logit_diff[token * 6 + 2]!;
  });
  const grid = combine(table, "logit_diff", "color", true);
  const row = grid.rows.find(({ label }) => label === "correct")!;
  expect(row.counts[2]).toBe(values.length);
  expect(row.values[2]).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 4);
  expect(grid.rows.map(({ label }) => label)).toEqual([
    "[CLS]",
    "is",
    "this",
    "noun",
    "correct",
    "or",
    "incorrect",
    "?",
    "[SEP]",
  ]);
  expect(
    combine(table, "logit_diff", "color", false)
      .rows.map(({ label }) => label)
      .slice(4, 7),
  ).toEqual(["incorrect", "or", "correct"]);
  expect(
    combine(table, "logit_diff", null, null)
      .rows.map(({ label }) => label)
      .slice(4, 7),
  ).toEqual(["correct", "or", "incorrect"]);
});

test("articles are named after their word, other repeated roles numbered", () => {
  const words = ["[CLS]", "does", "the", "correct", "or", "the", "incorrect", "or", "incorrect", "[SEP]"];
  const tokens = words.map((role) => ({ id: 1, text: role, role, piece: 0, pieces: 1 }));
  const { tables } = succeeded[0]!;
  const rows = roleRows({ ...succeeded[0]!, tokens }, { ...tables[0]!, tokens: tokens.length });
  expect(rows.map(({ label }) => label)).toEqual([
    "[CLS]",
    "does",
    "the (correct)",
    "correct",
    "or",
    "the (incorrect)",
    "incorrect",
    "or 2",
    "incorrect 2",
    "[SEP]",
  ]);
});

test("the strongest heads are those with the largest absolute mean", () => {
  const strong = strongestHeads(all, "logit_diff");
  expect(strong[0]).toMatchObject({ kind: "crossattention_block", layer: 3, head: 0, n: succeeded.length });
  expect(strong).toHaveLength(3 * 6 * 4);
  strong.slice(1).forEach(({ mean }, i) => {
    expect(Math.abs(mean)).toBeLessThanOrEqual(Math.abs(strong[i]!.mean));
  });
  const values = succeeded.map(({ tables, answer_token }) => {
    const { scores } = tables.find(({ kind, heads }) => kind === "crossattention_block" && heads !== null)!;
    return scores.logit_diff[(answer_token! * 6 + 3) * 4]!;
  });
  expect(strong[0]!.mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 10);
  expect(strongestHeads(all, "effect")[0]!.n).toBeLessThan(succeeded.length);
});

test("colours: purple from low to high, blue and red about zero", () => {
  const paper = scaleOf("p_patched", "paper", [0.2, null, 0.7]);
  expect([0.2, 0.7].map((value) => colourAt(paper.anchors, place(paper, value)))).toEqual(["#fcfbfd", "#3f007d"]);
  const raw = scaleOf("logit_diff", "raw", [-1, 0, 4]);
  expect([-4, 0, 4].map((value) => colourAt(raw.anchors, place(raw, value)))).toEqual([
    "#053061",
    "#f7f7f7",
    "#67001f",
  ]);
  const flat = scaleOf("p_diff", "raw", [0, 0]);
  expect(colourAt(flat.anchors, place(flat, 0))).toBe("#f7f7f7");
});

test("the page's script is the one its sources give", () => {
  expect(readFileSync(generatedFile, "utf8"), "npx tsx src/patching/report/embed.ts").toBe(generated());
});
