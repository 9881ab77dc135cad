/** What `notice circuits --out` writes: whole, the same again, and loading nothing. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, expect, test } from "vitest";
import { type Circuits, findCircuits } from "../../src/patching/circuit/document.ts";
import { circuitsPage, writeCircuits } from "../../src/patching/circuit-report.ts";
import { seal } from "../../src/patching/log.ts";
import { settingsText } from "../../src/patching/settings.ts";
import { records, settings } from "./synthetic.ts";

const root = mkdtempSync(join(tmpdir(), "notice-circuit-report-"));
afterAll(() => rmSync(root, { recursive: true }));

const kind = "crossattention_block";

function runOf(direction: "denoising" | "noising"): string {
  const folder = join(root, direction);
  mkdirSync(folder);
  writeFileSync(join(folder, "run.json"), settingsText(folder, settings({ kinds: [kind], direction })));
  writeFileSync(join(folder, "results.jsonl"), records(7, 40, [kind]).map(seal).join(""));
  return folder;
}
const runs = [runOf("denoising"), runOf("noising")];
const find = () => findCircuits(runs, { sigma: 2, bootstrap: 50, seed: 3 });

/** All files below a folder, by their path. */
function filesOf(folder: string): Map<string, Buffer> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.includes("."));
  return new Map(names.sort().map((name) => [name.replaceAll("\\", "/"), readFileSync(join(folder, name))]));
}

test("json, csv, page and figures; the same bytes again", async () => {
  for (const folder of ["once", "again"]) await writeCircuits(join(root, folder), await find());
  const [once, again] = [filesOf(join(root, "once")), filesOf(join(root, "again"))];
  const figures = ["denoising", "noising"].flatMap((direction) =>
    ["image", "text"].flatMap((mode) =>
      ["png", "svg"].map((ending) => `figures/circuit-facial_expressions-${mode}-${kind}-${direction}.${ending}`),
    ),
  );
  expect([...once.keys()].filter((name) => !name.includes("mit_states")).sort()).toEqual(
    ["circuits.csv", "circuits.html", "circuits.json", ...figures].sort(),
  );
  expect([...again.keys()]).toEqual([...once.keys()]);
  for (const [name, bytes] of once) expect(again.get(name)!.equals(bytes), name).toBe(true);
  for (const [name, bytes] of once) if (name.endsWith(".png")) expect(bytes.subarray(1, 4).toString()).toBe("PNG");

  const found = JSON.parse(once.get("circuits.json")!.toString()) as Circuits;
  const rows = parse(once.get("circuits.csv")!, { columns: true }) as Record<string, string>[];
  const scores = found.circuits.flatMap(({ scores }) => scores);
  expect(rows).toHaveLength(scores.length);
  rows.forEach((row, i) => {
    const { layer, head, n, strength, interval, q, important } = scores[i]!;
    expect([row.layer, row.head, row.n, row.important]).toEqual([layer, head, n, important].map(String));
    expect([row.strength, row.mean_low, row.q].map(Number)).toEqual([strength, interval![0], q]);
  });
});

test("the page loads nothing, outlines the important heads and says every cell", async () => {
  const found = await find();
  const html = circuitsPage(found);
  expect(html).not.toMatch(/https?:|@import|<link|src=/);
  expect(html).toContain("no evidence about the real model");
  const figures = html.match(/<figure class="map".*?<\/figure>/gs)!;
  const said = JSON.parse(html.match(/id="cells">(.*?)<\/script>/s)![1]!) as string[][];
  expect(figures).toHaveLength(found.circuits.length);
  found.circuits.forEach(({ important, scores }, i) => {
    expect(figures[i]!.match(/stroke="#ff8c00"/g) ?? []).toHaveLength(important.length);
    expect(figures[i]!.match(/data-cell=/g)).toHaveLength(scores.length);
    expect(said[i]!.map((words) => words.split(/[,\n]/)[0])).toEqual(scores.map(({ name }) => name));
    expect(said[i]!.filter((words) => words.includes("important"))).toHaveLength(important.length);
  });
  expect(html).toContain("Denoising and noising");
  expect(html).not.toContain("were published");
});

test("published heads are dotted and named as such, never as a result", async () => {
  const found = await find();
  const circuits = found.circuits.slice(0, 1).map((circuit) => ({
    ...circuit,
    published: { model: "BLIP", heads: ["L5.H3"] },
    scores: circuit.scores.map((one) => ({ ...one, published: one.name === "L5.H3" })),
  }));
  const html = circuitsPage({ ...found, circuits });
  expect(html.match(/<circle /g)).toHaveLength(1);
  expect(html).toContain("not a result of these runs: L5.H3 were published as the universal heads of BLIP");
});
