/** What the commands print and write, small but whole; each in a process of its own. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFile } from "#files";
import { readArguments } from "../../src/cli/command.ts";
import { command as report } from "../../src/cli/report.ts";
import { openSafetensors } from "../../src/models/checkpoint.ts";
import { saveSafetensors } from "../../src/models/save-safetensors.node.ts";
import { notice, noticeJson } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-commands-"));
afterAll(() => rmSync(root, { recursive: true }));
const text = "Is this heart red or blue?";
const clean = ["--image", "data/miniature/mit_states/images/red heart/1.jpg", "--text", text];
const corrupt = ["--image", "data/miniature/mit_states/images/blue heart/2.jpg", "--text", text];
const encoder = "text_encoder.encoder.layer.3";
/** All that the decoder gets of the picture and the question. */
const last = "text_encoder.encoder.layer.5.output";
/** One site of each way in which an activation is stored, each captured under all its names. */
const captured = [
  "pixel_values",
  "vision_model.embeddings.patch_embedding",
  `${encoder}.attention.self.q`,
  `${encoder}.crossattention.self`,
  `${encoder}.crossattention.self.k`,
  `${encoder}.attention.self.probs`,
  `${encoder}.attention.self.result`,
  `${encoder}.intermediate`,
  `${encoder}.output`,
  last,
];

interface Tensors {
  [name: string]: { shape: readonly number[]; data: Float32Array };
}

async function tensorsOf(path: string): Promise<Tensors> {
  const file = await openSafetensors(await openFile(path));
  const tensors: Tensors = {};
  for (const [name, { shape }] of file.tensors) tensors[name] = { shape, data: await file.f32(name) };
  await file.close();
  return tensors;
}

interface SiteShown {
  name: string;
  shape: number[];
  aliases: { name: string }[];
}

const cleanFile = join(root, "clean.safetensors");
const corruptFile = join(root, "corrupt.safetensors");
let sites: SiteShown[];
let ids: number[];

beforeAll(async () => {
  const capture = (input: string[], out: string) =>
    noticeJson(["capture", "blip-mini", ...input, "--sites", captured.join(), "--aliases", "--out", out]);
  const [run, list] = await Promise.all([
    noticeJson<{
      answer: string;
      ids: number[];
      top: { token: string; probability: number }[];
      tokens: { id: number }[];
    }>(["run", "blip-mini", ...clean]),
    noticeJson<SiteShown[]>(["sites", "blip-mini", "--tokens", "9"]),
    capture(clean, cleanFile),
    capture(corrupt, corruptFile),
  ]);
  expect(run.answer).toBe("red");
  expect(run.top).toHaveLength(5);
  expect(run.top[0]).toMatchObject({ token: "red" });
  expect(run.top[0]!.probability).toBeGreaterThan(0.5);
  ids = run.tokens.map(({ id }) => id);
  sites = list;
}, 300_000);

test("sites: every accepted name is there once, with a shape", () => {
  const names = sites.flatMap(({ name, aliases }) => [name, ...aliases.map((alias) => alias.name)]);
  expect(names.length).toBeGreaterThan(400);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, shape } of sites) {
    expect(shape[0], name).toBe(1);
    expect(
      shape.every((n) => Number.isInteger(n) && n > 0),
      name,
    ).toBe(true);
  }
});

test("capture --aliases: a tensor under each name of the sites, shaped as `sites` says, and the logits", async () => {
  const tensors = await tensorsOf(cleanFile);
  const meant = sites.filter(({ name }) => captured.includes(name));
  expect(meant).toHaveLength(captured.length);
  const names = meant.flatMap(({ name, aliases }) => [name, ...aliases.map((alias) => alias.name)]);
  expect(Object.keys(tensors).sort()).toEqual([...names, "logits"].sort());
  for (const { name, shape } of meant) expect(tensors[name]!.shape, name).toEqual(shape);
  expect(tensors[`${encoder}.attention.self.query`]!.shape).toEqual([1, 9, 128]);
  expect(tensors.logits!.shape).toEqual([1, 1, 241]);
});

test("capture --inputs gives the same bits as the picture and the question", async () => {
  const expected = await tensorsOf(cleanFile);
  const inputs = join(root, "in.safetensors");
  await saveSafetensors(inputs, [
    { name: "pixel_values", dtype: "F32", ...expected.pixel_values! },
    { name: "input_ids", dtype: "I64", shape: [1, ids.length], data: BigInt64Array.from(ids.map(BigInt)) },
  ]);
  const out = join(root, "again.safetensors");
  await noticeJson(["capture", "blip-mini", "--inputs", inputs, "--sites", captured.join(), "--out", out]);
  const tensors = await tensorsOf(out);
  expect(Object.keys(tensors).sort()).toEqual([...captured, "logits"].sort());
  for (const [name, { data }] of Object.entries(tensors)) expect(data, name).toEqual(expected[name]!.data);
});

interface Row {
  logits: { correct: number; incorrect: number };
  logsumexp: number;
  p_patched: number;
  logit_diff: number;
  kl: number;
}
interface PatchedCell extends Row {
  cell: { site: string; token: number | number[]; head: number | null; from: string }[];
  changed: boolean;
}

describe("patch", () => {
  const site = `${encoder}.output`;
  const heads = `${encoder}.crossattention.self`;
  const input = ([, image, , question]: string[]) => ({ image, text: question });
  const all = { site, token: "all" };
  const everything = { site: last, token: "all" };
  /** Named cells; a cell that gives one row has one name. */
  const cells = {
    clean: { ...everything, from: "clean" },
    tensor: { ...everything, from: { tensor: cleanFile, key: last } },
    "tensor by another name": { ...everything, from: { tensor: cleanFile, key: "text_encoder" } },
    mean: { ...everything, from: { mean: cleanFile } },
    run: { ...everything, from: { run: input(clean) } },
    identity: { ...all, from: "corrupt" },
    "scale by 1": { ...all, from: { scale: 1 } },
    zero: { ...all, from: "zero" },
    "scale by 0": { ...all, from: { scale: 0 } },
    half: { ...all, from: { scale: 0.5 } },
    add: { ...all, from: { add: corruptFile, key: site, scale: -0.5 } },
    noise: { site, token: 3, from: { noise: { std: 1, seed: 7 } } },
    "noise again": { site, token: 3, from: { noise: { std: 1, seed: 7 } } },
    "other noise": { site, token: 3, from: { noise: { std: 1, seed: 8 } } },
    knockout: { site: `${encoder}.attention.self.scores`, token: 5, source: [4, 6], from: "-inf" },
    "no attention": { site: `${encoder}.attention.self.probs`, token: 5, source: [4, 6], from: "zero" },
    "knockout of a head": { site: `${encoder}.attention.self.scores`, token: "all", head: 1, source: 4, from: "-inf" },
    one: { site, token: 4, from: "clean" },
    word: { site, token: "word:red", from: "clean" },
    answer: { site, token: "answer", from: "clean" },
    "head 2": { site: heads, token: 4, head: 2, from: "clean" },
    two: [
      { site, token: 4, from: "clean" },
      { site: "text_encoder.encoder.layer.1.output", token: 7, from: "zero" },
    ],
    "two, the other way round": [
      { site: "text_encoder.encoder.layer.1.output", token: 7, from: "zero" },
      { site, token: 4, from: "clean" },
    ],
    patch: { site: "vision_model.encoder.layers.0", token: "image[5,6]", from: "clean" },
    kind: { site: "blocks.3.hook_resid_post", token: 4, from: "clean" },
  };
  /** What its own values do: nothing. */
  const own = captured.filter((name) => name !== "pixel_values");
  const plan = {
    model: "blip-mini",
    clean: input(clean),
    corrupt: input(corrupt),
    answers: ["red", "blue"],
    cells: [
      ...Object.values(cells),
      ...own.map((name) => ({ site: name, token: "all", from: { tensor: corruptFile, key: name } })),
      {
        site: `${encoder}.attention.self.q`,
        token: "all",
        from: { tensor: corruptFile, key: `${encoder}.attention.self.query` },
      },
      { site, token: "each", from: "clean" },
      { site: heads, token: 4, head: "each", from: "clean" },
      { site: "text_encoder.encoder.layer.*.output", token: 4, from: "clean" },
    ],
  };
  let rows: PatchedCell[];
  let whole: Record<"clean" | "corrupt", Row>;
  const row = (name: keyof typeof cells) => rows[Object.keys(cells).indexOf(name)]!;
  const numbers = ({ logits, logsumexp, p_patched, logit_diff, kl }: Row) => ({
    logits,
    logsumexp,
    p_patched,
    logit_diff,
    kl,
  });

  beforeAll(async () => {
    const path = join(root, "plan.json");
    const out = join(root, "result.json");
    writeFileSync(path, JSON.stringify(plan));
    const { code, stderr } = await notice(["patch", "blip-mini", "--plan", path, "--out", out]);
    expect(code, stderr).toBe(0);
    const result = JSON.parse(readFileSync(out, "utf8"));
    rows = result.cells;
    whole = result;
    expect(result).toMatchObject({ direction: "denoising", answers: [expect.any(Number), expect.any(Number)] });
    expect(stderr).toMatch(new RegExp(`${2 + own.length + 1} of ${rows.length} cells changed no value`));
  }, 300_000);

  test("expands each token, each head and patterns of sites", () => {
    const rest = rows.slice(Object.keys(cells).length + own.length + 1);
    expect(rest.map(({ cell }) => [cell[0]!.site, cell[0]!.token, cell[0]!.head])).toEqual([
      ...ids.map((_, token) => [site, token, null]),
      ...[0, 1, 2, 3].map((head) => [heads, 4, head]),
      ...[0, 1, 2, 3, 4, 5].map((layer) => [`text_encoder.encoder.layer.${layer}.output`, 4, null]),
    ]);
    expect(numbers(rest[4]!)).toEqual(numbers(row("one")));
    expect(numbers(rest[ids.length + 2]!)).toEqual(numbers(row("head 2")));
    expect(numbers(rest[ids.length + 4 + 3]!)).toEqual(numbers(row("one")));
  });

  test("with a run's own values gives exactly its numbers, and says so", () => {
    for (const name of ["identity", "scale by 1"] as const) {
      expect(numbers(row(name)), name).toEqual({ ...numbers(whole.corrupt), logit_diff: 0 });
      expect(row(name).changed, name).toBe(false);
    }
    const start = Object.keys(cells).length;
    for (const { cell, changed, ...scores } of rows.slice(start, start + own.length + 1)) {
      expect(changed, cell[0]!.site).toBe(false);
      expect(scores.logits, cell[0]!.site).toEqual(whole.corrupt.logits);
    }
  });

  test("with all clean values of a layer gives exactly the clean numbers, whatever they come out of", () => {
    for (const name of ["clean", "tensor", "tensor by another name", "mean", "run"] as const) {
      expect(row(name).logits, name).toEqual(whole.clean.logits);
      expect(row(name).logsumexp, name).toEqual(whole.clean.logsumexp);
      expect(row(name).changed, name).toBe(true);
    }
  });

  test("says the same of what is the same by definition", () => {
    const pairs: [keyof typeof cells, keyof typeof cells][] = [
      ["zero", "scale by 0"],
      ["half", "add"],
      ["noise", "noise again"],
      ["word", "one"],
      ["answer", "one"],
      ["kind", "one"],
      ["two", "two, the other way round"],
    ];
    for (const [a, b] of pairs) expect(numbers(row(a)), `${a} and ${b}`).toEqual(numbers(row(b)));
    for (const name of [
      "other noise",
      "zero",
      "half",
      "two",
      "knockout",
      "no attention",
      "knockout of a head",
      "head 2",
      "patch",
    ] as const) {
      expect(row(name).changed, name).toBe(true);
      expect(row(name).logits, name).not.toEqual(whole.corrupt.logits);
    }
    expect(row("other noise").logits).not.toEqual(row("noise").logits);
    expect(row("knockout").logits).not.toEqual(row("no attention").logits);
    expect(row("two").cell.map(({ from }) => from)).toEqual(["clean", "zero"]);
    expect(row("two").logits).not.toEqual(row("one").logits);
  });
});

const sweepArgs = (data: string, out: string) => {
  const what = ["--task", "mit_states", "--mode", "image,text", "--kind", "crossattention_block", "--heads", "1"];
  return ["sweep", "blip-mini", "--data", data, ...what, "--samples", "1", "--exact-check", "1", "--out", out];
};

test("sweep --json counts its cells, and report writes the same bytes again", { timeout: 300_000 }, async () => {
  const out = join(root, "run");
  const done = await noticeJson<Record<string, unknown>>(sweepArgs("data/miniature/samples.csv", out));
  expect(done).toMatchObject({ run: out, done: 2, total: 2, failed: 0 });
  expect(done.cells).toBeGreaterThan(2 * 6 * 9 * 2 - 60);
  const derived = () =>
    Object.fromEntries(
      readdirSync(out, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name)).toString("base64")]),
    );
  const before = derived();
  expect(Object.keys(before)).toEqual(
    expect.arrayContaining(["run.json", "results.jsonl", "scores.npz", "scores.csv", "report.html"]),
  );
  for (const name of ["scores.npz", "scores.csv", "report.html"]) rmSync(join(out, name));
  rmSync(join(out, "figures"), { recursive: true });
  expect(await noticeJson(["report", out])).toMatchObject({ report: join(out, "report.html") });
  const after = derived();
  for (const name of Object.keys(before)) expect(after[name] === before[name], name).toBe(true);
  expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
});

test("report of several runs writes one page, which tells them apart, and nothing else", async () => {
  const [run, twin, page] = ["run", "twin", "both.html"].map((name) => join(root, name)) as [string, string, string];
  cpSync(run, twin, { recursive: true });
  const files = readdirSync(twin).sort();
  expect(await noticeJson(["report", run, twin, "--out", page])).toEqual({ report: page });
  const html = readFileSync(page, "utf8");
  for (const folder of [run, twin])
    expect(html.split(`<h3 class="run">blip-mini (${folder})</h3>`)).toHaveLength(1 + 4);
  expect(readdirSync(twin).sort()).toEqual(files);
  const wrong = async (...argv: string[]) =>
    report.run(readArguments("report", report, argv), new AbortController().signal);
  await expect(wrong(run, twin)).rejects.toThrow(/got 2 runs, expected --out FILE.html/);
  await expect(wrong(run, "--out", page)).rejects.toThrow(/got --out with one run, whose report is .*leave --out away/);
  await expect(wrong(run, `${run}/.`, "--out", page)).rejects.toThrow(/is given twice; give each run once/);
});

test("sweep --dry-run tells the cost and writes nothing", { timeout: 300_000 }, async () => {
  const out = join(root, "dry");
  const args = [...sweepArgs("data/miniature/samples.csv", out), "--dry-run"];
  const { cells, sweeps, fits } = await noticeJson<Record<string, unknown>>(args);
  expect([cells, sweeps, fits, existsSync(out)]).toEqual([6 * 9 * 2 * 2, 2, true, false]);
  const { code, stdout } = await notice(args, { env: { NOTICE_MEMORY: "14000000" } });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^cells {7}216 in 2 sweeps$/m);
  expect(stdout).toMatch(/^memory .* on the device \(\d+ MiB of weights\), MORE THAN 14 MiB may be used$/m);
});

test("sweep ends with 1 where a sample fails, and with 0 once it can be run", { timeout: 300_000 }, async () => {
  const folder = join(root, "data");
  const header = "task,clean_image_path,corrupt_image_path,clean_prompt,corrupt_prompt,correct_answer,incorrect_answer";
  cpSync("data/miniature/mit_states/images/red heart/1.jpg", join(folder, "a.jpg"));
  writeFileSync(join(folder, "b.jpg"), "no picture");
  writeFileSync(
    join(folder, "samples.csv"),
    `${header}\nmit_states,a.jpg,b.jpg,${text},Is this heart wet or dry?,red,blue\n`,
  );
  const out = join(root, "failing");
  const args = sweepArgs(join(folder, "samples.csv"), out);
  const first = await notice(args);
  expect([first.code, first.stdout.trim()]).toEqual([1, `${out}/report.html`]);
  expect(first.stderr).toMatch(/1 sweeps? failed; the report says why, and the same command tries/);
  cpSync("data/miniature/mit_states/images/blue heart/2.jpg", join(folder, "b.jpg"));
  const second = await notice(args);
  expect([second.code, second.stdout.trim()]).toEqual([0, `${out}/report.html`]);
});

test("doctor --json is content with the adapter", { timeout: 300_000 }, async () => {
  const { adapter, test } = await noticeJson<{ adapter: { name: string }; test: { ok: boolean; answer: string } }>([
    "doctor",
  ]);
  expect(test).toMatchObject({ ok: true, answer: "red" });
  expect(adapter.name).not.toBe("");
});
