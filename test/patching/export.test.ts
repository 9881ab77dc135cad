/** scores.safetensors and scores.json: what scores.npz and scores.csv say, by readers of other formats. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readArguments } from "../../src/cli/command.ts";
import { command } from "../../src/cli/report.ts";
import { openSafetensors } from "../../src/models/checkpoint.ts";
import { openFile } from "../../src/models/files.node.ts";
import { csvWriter } from "../../src/patching/csv.ts";
import { exportScores } from "../../src/patching/export.ts";
import { seal } from "../../src/patching/log.ts";
import type { RunRecord, SampleRecord } from "../../src/patching/record.ts";
import { scoreArrays } from "../../src/patching/score-arrays.ts";
import { settingsText } from "../../src/patching/settings.ts";
import { records, settings } from "./synthetic.ts";

const root = mkdtempSync(join(tmpdir(), "notice-export-"));
afterAll(() => rmSync(root, { recursive: true }));

const kinds = ["output", "crossattention_block"];
const all = records(2, 10, kinds);
const samples = all.filter((record): record is SampleRecord => !("failed" in record));

function runOf(name: string, lines: readonly RunRecord[]): string {
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "run.json"), settingsText(folder, settings({ kinds })));
  writeFileSync(join(folder, "results.jsonl"), lines.map(seal).join(""));
  return folder;
}

let run: string;
beforeAll(() => {
  run = runOf("run", all);
});

test("safetensors: every array of scores.npz to the bit, and every list of names in the metadata", async () => {
  const file = await openSafetensors(await openFile(await exportScores(run, "safetensors")));
  const writer = scoreArrays();
  for (const record of samples) writer.add(record);
  const names: string[] = [];
  for (const [name, { shape, data }] of Object.entries(writer.arrays())) {
    if (data instanceof Float32Array || data instanceof Int32Array) {
      names.push(name);
      const dtype = data instanceof Float32Array ? "F32" : "I32";
      expect(file.tensors.get(name), name).toMatchObject({ dtype, shape });
      expect(Buffer.from(data.buffer).equals(await file.read(name)), name).toBe(true);
    } else expect(JSON.parse(file.metadata.get(name)!).flat(), name).toEqual(data);
  }
  expect([...file.tensors.keys()].sort()).toEqual(names.sort());
  const texts: string[][] = JSON.parse(file.metadata.get("facial_expressions.text.token_text")!);
  const inText = samples.filter(({ mode }) => mode === "text");
  texts.forEach((row, i) => {
    expect(row.filter((text) => text !== "")).toEqual(inText[i]!.tokens.map(({ text }) => text));
  });
  expect(file.metadata.get("model")).toBe("blip-mini");
  await file.close();
});

test("json: the rows of scores.csv, numbers as numbers and null where there is nothing", async () => {
  const rows: Record<string, unknown>[] = JSON.parse(readFileSync(await exportScores(run, "json"), "utf8"));
  const path = join(root, "scores.csv");
  const csv = csvWriter(path);
  for (const record of samples) csv.add(record);
  csv.close();
  const expected: Record<string, string>[] = parse(readFileSync(path), { columns: true });
  const words = ["task", "mode", "kind", "site", "token_text"];
  const typed = (name: string, text: string) =>
    text === "" ? null : words.includes(name) || text === "NaN" ? text : Number(text);
  const typedRows = expected.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, text]) => [name, typed(name, text)])),
  );
  expect(rows.length).toBeGreaterThan(1000);
  expect(JSON.stringify(rows)).toBe(JSON.stringify(typedRows));
});

test("a run without a finished sample has a list without rows", async () => {
  const { key, sample, task, mode } = all[0]!;
  const folder = runOf("failed", [{ key, sample, task, mode, failed: "device lost" }]);
  expect(JSON.parse(readFileSync(await exportScores(folder, "json"), "utf8"))).toEqual([]);
  const file = await openSafetensors(await openFile(await exportScores(folder, "safetensors")));
  expect([...file.metadata.keys()]).toEqual(["model", "columns"]);
  await file.close();
});

test("report --export writes them, the same bytes again; an unknown format is refused", async () => {
  const report = (formats: string) =>
    command.run(readArguments("report", command, [run, "--export", formats]), new AbortController().signal);
  const read = () => ["scores.safetensors", "scores.json"].map((name) => readFileSync(join(run, name)));
  const before = read();
  for (const name of ["scores.safetensors", "scores.json"]) rmSync(join(run, name));
  expect(await report("safetensors,json")).toBe(0);
  read().forEach((bytes, i) => {
    expect(bytes.equals(before[i]!)).toBe(true);
  });
  await expect(report("parquet")).rejects.toThrow('--export: got "parquet", expected some of safetensors,json');
});
