import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { saveTable } from "../../src/data/table.ts";

const root = mkdtempSync(join(tmpdir(), "notice-large-"));
afterAll(() => rmSync(root, { recursive: true }));

/** 50,000 triplet pairs, all different; two pictures. */
async function largeOriginal(): Promise<void> {
  mkdirSync(join(root, "images"));
  for (const name of ["0001.jpg", "0002.jpg"])
    cpSync(join("data/miniature/svo_probes/images", name), join(root, "images", name));
  const columns = ["pos_triplet", "neg_triplet", "pos_url", "neg_url", "subj_neg", "verb_neg", "obj_neg"];
  const word = (i: number) => `thing${String.fromCharCode(97 + (i % 26), 97 + (Math.floor(i / 26) % 26))}`;
  const rows = Array.from({ length: 50_000 }, (_, i) => {
    const rest = `walk,${word(Math.floor(i / 600) + 7)}`;
    return [`${word(i)},${rest}`, `${word(i + 1)},${rest}`, "0001.jpg", "0002.jpg", "True", "False", "False"];
  });
  await saveTable(join(root, "svo_probes.csv"), columns, rows);
}

function run(step: "prepare" | "select", data: string, out: string) {
  const args = ["--import", "tsx", "test/data/large.ts", step, data, out];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Record<string, number>;
}

test("100,000 rows are prepared and selected in less than 10 s and 300 MB each", async () => {
  const [prepared, answered, selected] = ["a.csv", "b.csv", "c.csv"].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  await largeOriginal();
  const first = run("prepare", root, prepared);
  const lines = readFileSync(prepared, "utf8").trimEnd().split("\r\n");
  const answers = ["generated_text", ...lines.slice(1).map((line) => line.split(",")[6]!)]; // correct_answer
  writeFileSync(answered, lines.map((line, i) => `${line},${answers[i]}\r\n`).join(""));
  for (const { rows, seconds, megabytes } of [first, run("select", answered, selected)]) {
    expect(rows).toBe(100_000);
    expect(seconds).toBeLessThan(10);
    expect(megabytes).toBeLessThan(300);
  }
});
