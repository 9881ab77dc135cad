/** The logit lens against a float64 computation from the captured states, and against the runs' own logits. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, describe, expect, test } from "vitest";
import { openFolder } from "#files";
import { type DataRow, readDataFile } from "../../src/data/samples.ts";
import { type Checkpoint, openCheckpoint } from "../../src/models/checkpoint.ts";
import { findModel, loadModel } from "../../src/models/load.ts";
import { csvWriter } from "../../src/patching/csv.ts";
import { resolveKind } from "../../src/patching/kinds.ts";
import { lensTable } from "../../src/patching/lens-csv.ts";
import { samplePair } from "../../src/patching/pair.ts";
import type { LensRun, SampleRecord } from "../../src/patching/record.ts";
import { lensDetails, lensSection } from "../../src/patching/report/lens.ts";
import { lensTally } from "../../src/patching/report/lens-tally.ts";
import type { Reported } from "../../src/patching/report/reported.ts";
import { anyGpu as gpu } from "../kernels/device.ts";
import { sweepSample } from "./sweep-sample.ts";
import { dataFile, records } from "./synthetic.ts";

const [row] = (await readDataFile(dataFile.pathname, "mit_states")).rows as [DataRow];

const dot = (weight: Float32Array, row: number, x: Float64Array): number =>
  x.reduce((sum, value, i) => sum + value * weight[row * x.length + i]!, 0);

/** erf by its series, good to 1e-12 where |x| < 4. */
function erf(x: number): number {
  let [term, total] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

const mean = (x: Float64Array): number => x.reduce((a, b) => a + b, 0) / x.length;

/** Logits of a state [hidden] in float64. */
type Head = (state: Float64Array) => Float64Array;

async function blipHead(file: Checkpoint): Promise<Head> {
  const part = (name: string) => file.f32(`text_decoder.cls.predictions.${name}`);
  const [dense, bias] = [await part("transform.dense.weight"), await part("transform.dense.bias")];
  const [scale, shift] = [await part("transform.LayerNorm.weight"), await part("transform.LayerNorm.bias")];
  const [decoder, end] = [await part("decoder.weight"), await part("bias")];
  return (x) => {
    const active = x.map((_, i) => {
      const y = dot(dense, i, x) + bias[i]!;
      return (y / 2) * (1 + erf(y / Math.SQRT2));
    });
    const middle = mean(active);
    const spread = Math.sqrt(mean(active.map((y) => (y - middle) ** 2)) + 1e-12);
    const normal = active.map((y, i) => ((y - middle) / spread) * scale[i]! + shift[i]!);
    return Float64Array.from(end, (b, i) => dot(decoder, i, normal) + b);
  };
}

async function llavaHead(file: Checkpoint): Promise<Head> {
  const scale = await file.f32("language_model.model.norm.weight");
  const weight = await file.f32("language_model.lm_head.weight");
  return (x) => {
    const size = Math.sqrt(mean(x.map((y) => y * y)) + 1e-5);
    const normal = x.map((y, i) => (y / size) * scale[i]!);
    return Float64Array.from({ length: weight.length / x.length }, (_, i) => dot(weight, i, normal));
  };
}

describe.each([
  { name: "blip-mini", headOf: blipHead, kind: "crossattention_block" },
  { name: "llava-mini", headOf: llavaHead, kind: "attention_block" },
])("the lens of $name", async ({ name, headOf, kind }) => {
  const model = await loadModel(gpu, name);
  const checkpoint = await openCheckpoint(await openFolder(findModel(name)));
  const head = await headOf(checkpoint);
  afterAll(async () => {
    model.close();
    await checkpoint.close();
  });

  const sweep = async (direction: "denoising" | "noising") => {
    const pair = await samplePair(model, row, { mode: "image", defects: {}, direction });
    const options = { heads: [1], positions: ["last"], headPositions: ["last"], compat: "corrected" } as const;
    return {
      pair,
      result: await sweepSample(model, pair, [resolveKind(model, kind)], { ...options, minDenominator: 1e-3 }),
    };
  };

  test("is what the head makes of each layer's state, in float64", async () => {
    const { pair, result } = await sweep("denoising");
    const { activations } = await model.run(pair.other, { capture: model.readSites });
    const { p, logit_diff, top1, top1_text } = result.lens.clean;
    expect(p).toHaveLength(model.layers);
    model.readSites.forEach((site, layer) => {
      const { data, shape } = activations.get(site)!;
      const logits = head(Float64Array.from(data.subarray(data.length - shape.at(-1)!)));
      const [correct, incorrect] = pair.answers.map((id) => logits[id]!) as [number, number];
      const most = Math.max(...logits);
      const total = logits.reduce((sum, value) => sum + Math.exp(value - most), 0);
      expect(Math.abs(logit_diff[layer]! - (correct - incorrect)), site).toBeLessThan(2 ** -21 * most);
      expect(Math.abs(p[layer]! / (Math.exp(correct - most) / total) - 1), site).toBeLessThan(2 ** -21 * most);
      expect(top1[layer], site).toBe(logits.indexOf(most));
      expect(top1_text[layer]).toBe(model.tokenText(top1[layer]!));
    });
  });

  test.for(["denoising", "noising"] as const)("ends in the runs' own logits, to the bit, %s", async (direction) => {
    const { pair, result } = await sweep(direction);
    expect(result.checks.find((check) => check.name === "logit lens")).toMatchObject({ ok: true });
    const [clean, corrupt] = direction === "denoising" ? [pair.other, pair.base] : [pair.base, pair.other];
    for (const [run, input] of [
      ["clean", clean],
      ["corrupt", corrupt],
    ] as const) {
      const { logits } = await model.run(input);
      const [right, wrong] = pair.answers.map((id) => logits[id]!) as [number, number];
      expect(result.lens[run].logit_diff.at(-1), run).toBe(Math.fround(right - wrong));
      expect(result.lens[run].top1.at(-1)).toBe(logits.indexOf(Math.max(...logits)));
    }
    expect(result.lens.clean).not.toEqual(result.lens.corrupt);
  });
});

/** Made-up lenses: sample and layer can be told from each number. */
const made = records(5, 6, ["output"])
  .filter((record): record is SampleRecord => !("failed" in record))
  .map((record): SampleRecord & { lens: { clean: LensRun; corrupt: LensRun } } => {
    const run = (sign: number): LensRun => ({
      p: [0.25, 0.5, 0.1 * record.sample].map(Math.fround),
      logit_diff: [0, sign * 0.1, sign * (record.sample + 1)].map(Math.fround),
      top1: [7, 8, 9],
      top1_text: ["##ed", '"<b>', ","],
    });
    return { ...record, lens: { clean: run(1), corrupt: run(-1) } };
  });

test("lens.csv has a row for each run and layer, and none for records without a lens", () => {
  const folder = mkdtempSync(join(tmpdir(), "notice-lens-"));
  const path = join(folder, "lens.csv");
  const csv = csvWriter(path, lensTable);
  const { lens: _, ...bare } = made[0]!;
  for (const record of [bare, ...made]) csv.add(record);
  csv.close();
  const lines = parse(readFileSync(path), { columns: true }) as Record<string, string>[];
  rmSync(folder, { recursive: true });
  const expected = made.flatMap(({ sample, task, mode, lens }) =>
    (["clean", "corrupt"] as const).flatMap((run) =>
      lens[run].p.map((p, layer) => [
        sample,
        task,
        mode,
        run,
        layer,
        p,
        lens[run].logit_diff[layer],
        lens[run].top1[layer],
        lens[run].top1_text[layer],
      ]),
    ),
  );
  const got = lines.map((line) => [
    Number(line.sample),
    line.task,
    line.mode,
    line.run,
    Number(line.layer),
    Math.fround(Number(line.p)),
    Math.fround(Number(line.logit_diff)),
    Number(line.top1),
    line.top1_text,
  ]);
  expect(got).toEqual(expected);
});

test("the page shows means over samples by layer, and each sample's tokens", () => {
  const tally = lensTally();
  for (const record of made) tally.add(record);
  const means = tally.means();
  const [{ task, mode, samples, sums }] = means as [(typeof means)[number]];
  const own = made.filter((record) => record.task === task && record.mode === mode);
  expect(samples).toBe(own.length);
  expect(sums.corrupt.logit_diff[2]).toBeCloseTo(-own.reduce((sum, { sample }) => sum + sample + 1, 0) / own.length, 6);
  const section = (lens: Reported["lens"]) => lensSection([{ name: "a model", lens } as Reported]);
  const html = section(tally);
  expect(html.match(/<svg/g)).toHaveLength(2 * means.length);
  expect(html).toContain(`n = ${samples}`);
  expect(html.match(/<circle/g)).toHaveLength(2 * means.length * 2 * 3);
  expect(html).not.toMatch(/NaN|Infinity|undefined/);
  const details = lensDetails(made.slice(0, 2));
  expect(details.match(/<details>/g)).toHaveLength(2);
  expect(details).toContain("&quot;&lt;b&gt;");
  expect(section(lensTally())).toBe("");
});
