/** Overlays: the arithmetic against scipy and against captured attention, and the files that are made of it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { type DataRow, readDataFile } from "../../src/data/samples.ts";
import { loadModel } from "../../src/models/load.ts";
import { layerOf } from "../../src/patching/layer.ts";
import { checkOverlays, writeOverlays } from "../../src/patching/overlay.ts";
import { pngOfPalette, pngOfRgb } from "../../src/patching/overlay-png.ts";
import { readOverlays } from "../../src/patching/overlay-store.ts";
import { position } from "../../src/patching/positions.ts";
import type { RunSettings, SampleRecord } from "../../src/patching/record.ts";
import { heat } from "../../src/patching/report/overlay-heat.ts";
import { enlarge } from "../../src/patching/report/overlay-spline.ts";
import { runSweep } from "../../src/patching/run.ts";
import { openRun, readRun, writeDerived } from "../../src/patching/store.ts";
import { expectUserError } from "../cli/command-line.ts";
import { anyGpu as gpu, noise } from "../kernels/device.ts";
import { dataFile, settings } from "./synthetic.ts";

interface SplineCase {
  side: number;
  to: number;
  grid: number[];
  enlarged: number[];
}

const splines = JSON.parse(readFileSync("test/fixtures/overlay/spline.json", "utf8")) as SplineCase[];

test.for(splines)("a grid of $side is enlarged to $to as scipy does it", ({ side, to, grid, enlarged }) => {
  const got = enlarge(grid, side, to);
  expect(got).toHaveLength(enlarged.length);
  const worst = enlarged.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i]!)), 0);
  expect(worst).toBeLessThan(1e-14);
});

test("a single patch fills its panel", () => {
  expect([...enlarge([6], 1, 2)]).toEqual([6, 6, 6, 6]);
  expect(heat([6], "seismic", 2)).toMatchObject({ low: 6, high: 6 });
});

test("pictures are read back as they were", async () => {
  const rgb = Uint8Array.from(noise(3 * 9 * 9), (value) => 128 + 60 * value);
  const { data, info } = await sharp(pngOfRgb(rgb, 9)).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([9, 9, 3]);
  expect(new Uint8Array(data)).toEqual(rgb);
  const colours = Array.from({ length: 256 }, (_, i) => `#${(i * 65793).toString(16).padStart(6, "0")}`);
  const indices = Uint8Array.from({ length: 25 }, (_, i) => (i * 37) % 256);
  const grey = await sharp(pngOfPalette(indices, 5, colours))
    .removeAlpha()
    .raw()
    .toBuffer();
  expect(new Uint8Array(grey)).toEqual(Uint8Array.from({ length: 75 }, (_, i) => indices[Math.floor(i / 3)]!));
});

test("colours go from the smallest value to the largest, a magnitude's from zero", async () => {
  const grid = [-0.5, 0, 0.25, 1];
  const corners = async (map: "seismic" | "viridis") => {
    const pixels = await sharp(heat(grid, map, 2).png)
      .removeAlpha()
      .raw()
      .toBuffer();
    return [0, 1, 2, 3].map((i) => pixels.subarray(3 * i, 3 * i + 3).toString("hex"));
  };
  const seismic = await corners("seismic");
  expect([seismic[0], seismic[3]]).toEqual(["00004d", "800000"]);
  expect(seismic[2]).toMatch(/^ff(f[cdef])\1$/);
  const viridis = await corners("viridis");
  expect([viridis[0], viridis[1], viridis[3]]).toEqual(["440154", "440154", "fde725"]);
});

const root = mkdtempSync(join(tmpdir(), "notice-overlay-"));
afterAll(() => rmSync(root, { recursive: true }));
const hearts = (await readDataFile(dataFile.pathname, "mit_states")).rows;

describe.each([
  { name: "blip-mini", kind: "crossattention_block", positions: ["answer"], at: ["answer"] },
  { name: "llava-mini", kind: "attention_block", positions: ["answer", "last"], at: ["answer", "last"] },
] as const)("overlays of $name", async ({ name, kind, positions, at }) => {
  const model = await loadModel(gpu, name);
  afterAll(() => model.close());
  const rows = hearts.slice(0, name === "blip-mini" ? 2 : 1);
  const sweep: RunSettings = settings({
    model: { ...settings().model, name },
    tasks: ["mit_states"],
    modes: ["image"],
    kinds: [kind],
    heads: [1, 3],
    positions: ["last"],
    head_positions: [...positions],
  });
  const folder = join(root, name);
  const run = await openRun(folder, sweep);
  await runSweep(model, rows, sweep, run);
  await run.close();
  await writeOverlays(model, rows, folder, { heads: 2 });
  const stored = (await readOverlays(folder))!;

  test("show the heads with the largest mean of the absolute change", async () => {
    const records = (await readRun(folder)).records as SampleRecord[];
    const values = new Map<string, number[]>();
    for (const { tables, answer_token } of records) {
      const { sites, heads, scores, at: tokens } = tables.find((table) => table.heads !== null)!;
      tokens!.forEach((token, row) => {
        sites.forEach((site, l) => {
          heads!.forEach((head, h) => {
            const key = `${layerOf(site, l)} ${head} ${token === answer_token ? "answer" : "last"}`;
            const value = scores.logit_diff[(row * sites.length + l) * heads!.length + h] as number;
            values.set(key, [...(values.get(key) ?? []), Math.abs(value)]);
          });
        });
      });
    }
    const means = [...values.entries()].map(([key, list]) => ({
      key,
      mean: list.reduce((a, b) => a + b) / list.length,
    }));
    const best = means.sort((a, b) => b.mean - a.mean)[0]!;
    const [first, second] = stored.heads;
    expect(`${first!.layer} ${first!.head} ${first!.token}`).toBe(best.key);
    expect(first).toMatchObject({ strength: best.mean, n: rows.length });
    expect(stored.heads).toHaveLength(2);
    expect([second!.layer, second!.head]).not.toEqual([first!.layer, first!.head]);
  });

  test("hold the attention that a capture of the whole run shows", async () => {
    const { cleanImage: image, cleanPrompt: text } = rows[0] as DataRow;
    const input = await model.input({ image, text });
    const pattern =
      name === "blip-mini"
        ? "text_encoder.encoder.layer.*.crossattention.self.probs"
        : "language_model.model.layers.*.self_attn.probs";
    const layers = [...(await model.run(input, { capture: [pattern] })).activations.values()];
    const first = input.picture?.at ?? 1;
    const patches = input.picture?.tokens ?? layers[0]!.shape[3]! - 1;
    const [overlay] = stored.overlays;
    expect(overlay!.tokens.map((token) => token.name)).toEqual(at);
    for (const { token, average, heads } of overlay!.tokens) {
      const row = (layer: number, head: number) => {
        const { data, shape } = layers[layer]!;
        const start = (head * shape[2]! + position(input, token)) * shape[3]! + first;
        return data.subarray(start, start + patches);
      };
      expect(average).toHaveLength(patches);
      const all = layers.flatMap((_, layer) => Array.from({ length: model.heads }, (_, head) => row(layer, head)));
      average.forEach((value, i) => {
        const mean = all.reduce((sum, head) => sum + head[i]!, 0) / all.length;
        expect(Math.abs(value - mean)).toBeLessThanOrEqual(5.1e-6 * mean);
      });
      stored.heads.forEach(({ layer, head }, h) => {
        expect(heads[h]).toEqual(Array.from(row(layer, head), (value) => Number(value.toPrecision(6))));
      });
    }
  });

  test("the same run gives the same bytes, and is looked at once", async () => {
    const files = () => {
      const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => /\.\w+$/.test(file));
      return new Map(names.sort().map((file) => [file, readFileSync(join(folder, file)).toString("base64")]));
    };
    const pictures = async (path: string) => readFileSync(new URL(encodeURI(path), dataFile));
    await writeDerived(folder, pictures);
    const before = files();
    const drawn = [...before.keys()].filter((file) => file.startsWith("overlays/"));
    expect(drawn).toHaveLength(rows.length * at.length * 3);
    await writeOverlays({ ...model, forward: () => expect.unreachable("was looked at before") }, rows, folder, {
      heads: 2,
    });
    rmSync(join(folder, "overlays.jsonl"));
    await writeOverlays(model, rows, folder, { heads: 2 });
    await writeDerived(folder, pictures);
    expect(files()).toEqual(before);
    const html = readFileSync(join(folder, "report.html"), "utf8");
    expect(html.match(/<div class="seen"><img/g)).toHaveLength(rows.length * at.length * 3);
    expect(html).not.toMatch(/https?:|@import|<link|src="(?!data:)|url\((?!data:)/);
    const arrays = unzipSync(readFileSync(join(folder, "overlays.npz")));
    const { average, heads } = stored.overlays.at(-1)!.tokens.at(-1)!;
    const end = (file: string, count: number) => [...new Float32Array(arrays[file]!.slice(-4 * count).buffer)];
    expect(end("average.npy", average.length)).toEqual(average.map(Math.fround));
    expect(end("attention.npy", 2 * average.length)).toEqual(heads.flat().map(Math.fround));
  });

  test("a changed file is refused", async () => {
    const path = join(folder, "overlays.jsonl");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace('"name":"answer"', '"name":"Answer"'));
    await expectUserError(() => readOverlays(folder), /overlays\.jsonl: is damaged, or of another version; delete it/);
    await writeOverlays(model, rows, folder, { heads: 2 });
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test("need single heads that look at the picture", async () => {
    checkOverlays(model, { kinds: [kind], heads: [0] });
    for (const wrong of [
      { kinds: [kind], heads: "none" as const },
      { kinds: ["output"], heads: "all" as const },
    ])
      if (name === "blip-mini")
        await expectUserError(() => checkOverlays(model, wrong), /--overlays: got .* expected heads that look/);
  });
});
