/**
 * A BLIP-VQA-base of full size with synthetic weights, from a file of 1.5 GB, against PyTorch float64.
 * Runs by `npm run test:fullsize` only; about 10 minutes on two cores with lavapipe.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFile } from "#files";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { openSafetensors } from "../../src/models/checkpoint.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { siteIndex } from "../../src/models/sites.ts";
import { type Cell, copySpans } from "../../src/patching/cell.ts";
import { type Pair, singleCell, sweepPair } from "../../src/patching/sweep.ts";
import { fixtures, writeBlip } from "./model-folder.ts";
import { sampleIndices, values } from "./synthetic.ts";

interface Summary {
  logsumexp: number;
  correct: number;
  incorrect: number;
}

interface Manifest {
  case: {
    seed: number;
    inputs: Record<string, { pixel_values: string; input_ids: number[] }>;
    patch: { clean: Place; corrupt: Place; correct: number; incorrect: number };
  };
  tensors: Record<string, number[]>;
  runs: Record<
    string,
    {
      sites: Record<
        string,
        { at: number; n: number; max: number; first_indices: number[]; f32: { max_error: number; rms_error: number } }
      >;
    }
  >;
  patch: {
    cells: {
      module: string;
      token: number;
      head: number | null;
      f64: Summary;
      f32_error: { max_error: number; rms_error: number };
    }[];
    clean: { f64: Summary };
    corrupt: { f64: Summary };
  };
}

interface Place {
  pixels: string;
  text: string;
}

const manifest: Manifest = JSON.parse(readFileSync(`${fixtures}/blip.json`, "utf8"));
const { seed, inputs, patch } = manifest.case;

describe.runIf(process.env.NOTICE_FULLSIZE)("BLIP-VQA-base with synthetic weights", () => {
  let folder: string;
  let gpu: Gpu;
  let model: Model;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "notice-fullsize-"));
    await writeBlip(folder, "F32");
    gpu = await openGpu();
    let peak = 0;
    const watch = () => {
      const { heapUsed, external } = process.memoryUsage();
      peak = Math.max(peak, heapUsed + external);
    };
    const timer = setInterval(watch, 20);
    const started = performance.now();
    model = await loadModel(gpu, folder, { onProgress: watch });
    clearInterval(timer);
    console.log(
      `loaded in ${((performance.now() - started) / 1000).toFixed(1)} s, peak heap ${(peak / 2 ** 20).toFixed(0)} MiB, device ${(gpu.bytes / 2 ** 20).toFixed(0)} MiB`,
    );
    expect(peak).toBeLessThan(300 * 2 ** 20);
  }, 600_000);

  afterAll(() => {
    model?.close();
    gpu?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const input = ({ pixels, text }: Place) => {
    const { pixel_values } = inputs[pixels]!;
    return model.input({
      pixels: values(pixel_values, [1, 3, 384, 384], seed, 0, 3 * 384 * 384),
      ids: inputs[text]!.input_ids,
    });
  };

  const bound = (f32: { max_error: number; rms_error: number }, max: number) =>
    2 * Math.max(f32.max_error, 5 * f32.rms_error, 2 ** -20 * max);

  test.for(["A", "B"])(
    "run %s: every sampled site is within twice PyTorch float32's own error",
    { timeout: 1_200_000 },
    async (run) => {
      const stored = await openSafetensors(await openFile(`${fixtures}/blip.safetensors`));
      const truth = await stored.read(run).then((bytes) => new Float64Array(bytes.buffer));
      await stored.close();
      const outside: string[] = [];
      let worst = { ratio: 0, name: "" };
      let count = 0;
      for (const tower of ["vision_model", "text_encoder", "text_decoder"]) {
        const { sites } = manifest.runs[run]!;
        const names = Object.keys(sites).filter(
          (name) => name.startsWith(tower) || (tower === "text_decoder" && name === "logits"),
        );
        const { activations } = await model.run(await input({ pixels: run, text: run }), { capture: names });
        for (const name of names) {
          const { at, n, max, first_indices, f32 } = sites[name]!;
          const { data } = activations.get(name)!;
          const indices = sampleIndices(name, seed, data.length);
          expect(indices.slice(0, 3)).toEqual(first_indices);
          const error = Math.max(...indices.map((index, j) => Math.abs(data[index]! - truth[at + j]!)));
          expect(indices.length).toBe(n);
          const ratio = (2 * error) / bound(f32, max);
          if (!(ratio <= 2)) outside.push(`${name}: ${error}, ${ratio.toFixed(2)} times PyTorch's own`);
          if (ratio > worst.ratio) worst = { ratio, name };
          count++;
        }
      }
      console.log(
        `${gpu.info.name}, tier ${gpu.info.tier}, run ${run}: ${count} sites, worst ${worst.ratio.toFixed(2)} times PyTorch's own error at ${worst.name}`,
      );
      expect(outside).toEqual([]);
    },
  );

  test("patched cells: logits and logsumexp within the same bound, a sweep equal to single cells", async () => {
    const pair: Pair = {
      base: await input(patch.corrupt),
      other: await input(patch.clean),
      answers: [patch.correct, patch.incorrect],
      direction: "denoising",
    };
    const cells = manifest.patch.cells.map(({ module, token, head }): Cell => {
      const { site } = siteIndex(model.sites).get(module)!;
      const shape = model.shapes(pair.base.ids.length).get(site.name)!.slice(1);
      const spans = copySpans({
        site: site.name,
        axes: site.axes,
        to: shape,
        from: shape,
        toToken: token,
        fromToken: token,
        head,
      });
      return [{ site: site.name, source: "other", kind: "copy", factor: 0, spans }];
    });
    const result = await sweepPair(model, pair, cells);
    manifest.patch.cells.forEach(({ module, f64, f32_error }, i) => {
      const row = result.cells[i]!;
      const limit = bound(f32_error, 12);
      for (const field of ["correct", "incorrect", "logsumexp"] as const) {
        expect(Math.abs(row[field] - f64[field]), `${module} ${field}`).toBeLessThanOrEqual(limit);
      }
    });
    expect(result.cells[0]).toEqual(result.corrupt);
    expect(result.changed[0]).toBe(false);
    expect((await singleCell(model, pair, cells[3]!)).row).toEqual(result.cells[3]);
  });
});

test("the hash gives the golden values", () => {
  const golden = JSON.parse(readFileSync(`${fixtures}/golden.json`, "utf8"));
  for (const { name, shape, seed: goldenSeed, values: expected } of golden.first.filter(
    ({ dtype }: { dtype: string }) => dtype !== "f16",
  )) {
    expect([...values(name, shape, goldenSeed ?? golden.seed ?? seed, 0, 8)], name).toEqual(expected);
  }
});
