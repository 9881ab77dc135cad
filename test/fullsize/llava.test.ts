/**
 * A LLaVA-1.5 with the 7B model's sizes but few layers, with synthetic float16 weights from a file of 1.4 GB, against
 * PyTorch float64. Runs by `npm run test:fullsize` only; 11 minutes on two cores with SwiftShader.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFile } from "#files";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { captureTap } from "../../src/models/capture.ts";
import { openSafetensors } from "../../src/models/checkpoint.ts";
import { floatToHalf, widenHalf } from "../../src/models/half.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Input, Model } from "../../src/models/model.ts";
import { matchSites, siteIndex } from "../../src/models/sites.ts";
import { type Edit, spansOf } from "../../src/patching/cell.ts";
import { spawnTap } from "../../src/patching/spawn.ts";
import { fixtures, writeLlava } from "./model-folder.ts";
import { sampleIndices, values } from "./synthetic.ts";

interface PyTorch {
  max_error: number;
  rms_error: number;
}

interface Manifest {
  case: {
    seed: number;
    inputs: Record<"A" | "B", { pixel_values: string; input_ids: number[] }>;
    patch: { correct: number; incorrect: number };
  };
  tensors: Record<string, number[]>;
  runs: Record<
    string,
    { sites: Record<string, { at: number; n: number; max: number; first_indices: number[]; f32: PyTorch }> }
  >;
  patch: {
    cells: {
      module: string;
      token: number;
      head: number | null;
      f64: { logsumexp: number; correct: number; incorrect: number };
      f32_error: PyTorch;
    }[];
  };
}

const manifest: Manifest = JSON.parse(readFileSync(`${fixtures}/llava.json`, "utf8"));
const { seed, inputs, patch } = manifest.case;

describe.runIf(process.env.NOTICE_FULLSIZE)("LLaVA-1.5 with synthetic weights", () => {
  let folder: string;
  let gpu: Gpu;
  let model: Model;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "notice-fullsize-"));
    await writeLlava(folder);
    gpu = await openGpu();
    model = await loadModel(gpu, folder);
  }, 600_000);

  afterAll(() => {
    model?.close();
    gpu?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const input = (picture: "A" | "B") => {
    const { pixel_values, input_ids } = inputs[picture];
    return model.input({ pixels: values(pixel_values, [1, 3, 336, 336], seed, 0, 3 * 336 ** 2), ids: input_ids });
  };

  /** Of the language model, whose rotary tables are Hugging Face's, and of what comes before it. */
  const halfNames = (run: string) =>
    Object.keys(manifest.runs[run]!.sites).filter((name) => /^(language_model|logits)/.test(name) === (run !== "f16"));

  const bound = ({ max_error, rms_error }: PyTorch, max: number) =>
    2 * Math.max(max_error, 5 * rms_error, 2 ** -20 * max);

  /** Sites of runs of the reference, within twice PyTorch float32's own error. */
  async function expectRuns(tested: Model, runs: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const stored = await openSafetensors(await openFile(`${fixtures}/llava.safetensors`));
    const outside: string[] = [];
    let worst = { ratio: 0, name: "" };
    let count = 0;
    const { activations, logits } = await tested.run(await input("A"), { capture: Object.values(runs).flat() });
    for (const [run, names] of Object.entries(runs)) {
      const truth = new Float64Array((await stored.read(run)).buffer);
      for (const name of names) {
        const { at, n, max, first_indices, f32 } = manifest.runs[run]!.sites[name]!;
        const data = name === "logits" ? logits : activations.get(name)!.data;
        const indices = sampleIndices(name, seed, data.length);
        expect(indices.slice(0, 3), name).toEqual(first_indices);
        expect(indices.length).toBe(n);
        const error = Math.max(...indices.map((index, j) => Math.abs(data[index]! - truth[at + j]!)));
        const ratio = (2 * error) / bound(f32, max);
        if (!(ratio <= 2)) outside.push(`${name}: ${error}, ${ratio.toFixed(2)} times PyTorch's own`);
        if (ratio > worst.ratio) worst = { ratio, name };
        count++;
      }
    }
    await stored.close();
    console.log(
      `${gpu.info.name}, tier ${gpu.info.tier}, ${Object.keys(runs).join()}: ${count} sites, worst ${worst.ratio.toFixed(2)} times PyTorch's own error at ${worst.name}`,
    );
    expect(outside).toEqual([]);
  }

  test("every sampled site is within twice PyTorch float32's own error", { timeout: 1_200_000 }, () =>
    expectRuns(model, { f16: halfNames("f16"), "f16.hf_rotary": halfNames("f16.hf_rotary") }),
  );

  test("the same with all linear layers in NF4", { timeout: 1_200_000 }, async () => {
    const quantized = await loadModel(gpu, folder, { quantize: "nf4" });
    await expectRuns(quantized, { "nf4.all": Object.keys(manifest.runs["nf4.all"]!.sites) });
    quantized.close();
  });

  test("patched cells: logits and logsumexp within the same bound", { timeout: 1_200_000 }, async () => {
    const [clean, corrupt] = [await input("A"), await input("B")];
    const sites = manifest.patch.cells.map(({ module }) => siteIndex(model.sites).get(module)!.site.name);
    const sources = captureTap(gpu, model.sites, matchSites(model.sites, sites));
    gpu.release(model.forward(clean, sources));
    for (const firstToken of [200, 594]) {
      const cells = manifest.patch.cells.filter(({ token }) => token >= firstToken);
      const tap = spawnTap(
        gpu,
        [cells.map((cell) => [copy(corrupt, cell, firstToken)])],
        ({ site }) => sources.kept.get(site)!,
      );
      const logits = model.forward(corrupt, tap, { firstToken });
      const all = await gpu.read(logits);
      gpu.release(logits);
      for (const [i, { module, token, f64, f32_error }] of cells.entries()) {
        const row = tap.rows[i]!;
        const got = summary(all.subarray(row * model.vocabSize, (row + 1) * model.vocabSize));
        for (const field of ["correct", "incorrect", "logsumexp"] as const) {
          const error = Math.abs(got[field] - f64[field]);
          expect(error, `${module} ${token} ${field}`).toBeLessThanOrEqual(bound(f32_error, 12));
        }
      }
      tap.release();
    }
    sources.release();
  });

  /** The clean run's values at a token of a module; the other run holds the tokens from `firstToken` on. */
  function copy(made: Input, { module, token, head }: Manifest["patch"]["cells"][number], firstToken: number): Edit {
    const { name, axes } = siteIndex(model.sites).get(module)!.site;
    const spans = (at: number, first: number) =>
      spansOf(name, axes, model.shapes(made.ids.length, first).get(name)!.slice(1), at, head);
    const from = spans(token, 0);
    const placed = spans(token - firstToken, firstToken).map(({ at, length }, i) => ({
      to: at,
      from: from[i]!.at,
      length,
    }));
    return { site: name, source: "other", kind: "copy", factor: 0, spans: placed };
  }
});

function summary(logits: Float32Array) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const total = logits.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  return { correct: logits[patch.correct]!, incorrect: logits[patch.incorrect]!, logsumexp: largest + Math.log(total) };
}

test("the hash gives the golden values in float16, too", () => {
  const golden = JSON.parse(readFileSync(`${fixtures}/golden.json`, "utf8"));
  const halves = golden.first.filter(({ dtype }: { dtype: string }) => dtype === "f16");
  for (const { name, shape, seed: own, values: expected } of halves) {
    const wide = values(name, shape, own ?? golden.seed ?? seed, 0, 8);
    expect([...widenHalf(Uint16Array.from(wide, floatToHalf))], name).toEqual(expected);
  }
  expect(halves.length).toBeGreaterThan(0);
});
