import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openGpu } from "#gpu";
import { readDataFile } from "../../src/data/samples.ts";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { readBlipConfig } from "../../src/models/blip/config.ts";
import { blipModel } from "../../src/models/blip/model.ts";
import { readLlavaConfig } from "../../src/models/llava/config.ts";
import { dryForward } from "../../src/models/llava/model.ts";
import { findModel, loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { wantedWeights } from "../../src/models/wanted.ts";
import { sweepCost } from "../../src/patching/cost.ts";
import type { RunSettings } from "../../src/patching/record.ts";
import { sweepUnits } from "../../src/patching/units.ts";
import { sevenBillion } from "../models/seven-billion.ts";
import { dataFile } from "./synthetic.ts";

const kinds = ["output", "attention_block", "crossattention_block"];
const defects = { D4: "corrected", D8: "corrected" } as const;
const settings = {
  kinds,
  modes: ["image"],
  heads: "all",
  direction: "denoising",
  defects,
  min_denominator: 0.001,
} as const;
const sweeping = settings as unknown as RunSettings;

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ toggles: "safe" });
});
afterAll(() => gpu.close());

test.for([
  { name: "a sample", count: 1, settings: sweeping },
  { name: "samples that share batches", count: 4, settings: { ...sweeping, kinds: ["cls", "embed"], heads: "none" } },
] as const)("a dry run counts what the device then does, and the memory that it takes: $name", async (sweep) => {
  const own = await openGpu({ toggles: "safe" });
  const rows = (await readDataFile(dataFile.pathname, "mit_states")).rows.slice(0, sweep.count);
  const dry = await loadModel(openDry(own.info), "blip-mini");
  const cost = await sweepCost(dry, rows, { ...sweep.settings, kinds: [...sweep.settings.kinds] });

  const model = await loadModel(own, "blip-mini");
  const before = own.flop;
  const units = rows.map((sample) => ({ sample, mode: "image" as const }));
  let cells = 0;
  for await (const outcome of sweepUnits(model, units, { ...sweep.settings, kinds: [...sweep.settings.kinds] }))
    if ("result" in outcome) cells += outcome.result.cells;
  expect(cost).toMatchObject({ sweeps: sweep.count, counted: sweep.count, cells, flop: own.flop - before });
  // The same ledger, but for what passes through on the way of the weights to the device.
  expect(cost.bytes / own.bytes).toBeGreaterThan(0.95);
  expect(cost.bytes / own.bytes).toBeLessThanOrEqual(1.05);
  model.close();
  own.close();
});

/** A BLIP-VQA-base that has sizes, but no values; words and pictures are the miniature's. */
async function fullSize(): Promise<Model> {
  const file = new URL("../fixtures/fullsize/blip.config.json", import.meta.url);
  const config = readBlipConfig(JSON.parse(readFileSync(file, "utf8")));
  const mini = await loadModel(openDry(gpu.info), "blip-mini");
  const inputs = {
    read: mini.input,
    findWord: mini.findWord,
    pieces: mini.pieces,
    tokenText: mini.tokenText,
    padId: 0,
    decode: () => "",
  };
  const identity = { name: "BLIP-VQA-base", identify: mini.identify };
  return blipModel(
    openDry(gpu.info),
    { ...wantedWeights().weights, matrices: [], release: () => {} },
    config,
    inputs,
    identity,
  );
}

test("at full size three kinds and all heads need at most 1.15 times the arithmetic that is left when all is shared", async () => {
  const { rows } = await readDataFile(dataFile.pathname, "mit_states");
  const cost = await sweepCost(await fullSize(), rows, { ...sweeping, modes: ["image", "text"] }, 4);
  console.log(
    `${cost.counted} sweeps of ${cost.cells / cost.sweeps} cells: ${(cost.flop / cost.sweeps / 1e12).toFixed(2)} TFLOP each, ` +
      `${(cost.flop / cost.ideal).toFixed(3)} times the ideal`,
  );
  expect(cost.flop / cost.ideal).toBeLessThan(1.15);
  expect(cost.flop / cost.ideal).toBeGreaterThanOrEqual(1);
});

/** A folder with LLaVA-1.5-7B, whose weights are a file of 14 GB without a byte on the disk. */
function sparseModel(folder: string): void {
  writeFileSync(join(folder, "config.json"), JSON.stringify(sevenBillion));
  cpSync("test/fixtures/tokenizers/llama.tokenizer.json", join(folder, "tokenizer.json"));
  const mini = findModel("llava-mini");
  cpSync(join(mini, "tokenizer_config.json"), join(folder, "tokenizer_config.json"));
  const processor = JSON.parse(readFileSync(join(mini, "preprocessor_config.json"), "utf8"));
  const size = { crop_size: { height: 336, width: 336 }, size: { shortest_edge: 336 } };
  writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify({ ...processor, ...size }));
  let end = 0;
  const entries = [...dryForward(readLlavaConfig(sevenBillion), 2).wanted.values()].map(({ name, shape }) => {
    const begin = end;
    end += 2 * shape.reduce((a, b) => a * b, 1);
    return [name, { dtype: "F16", shape, data_offsets: [begin, end] }] as const;
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const path = join(folder, "model.safetensors");
  writeFileSync(path, Buffer.concat([length, header]));
  truncateSync(path, 8 + header.length + end);
}

test("LLaVA-1.5-7B: memory of its weights, and at most 1.15 times the ideal", async () => {
  const folder = mkdtempSync(join(tmpdir(), "notice-7b-"));
  try {
    sparseModel(folder);
    const half = await loadModel(openDry({ ...gpu.info, maxBindingBytes: 2 ** 27 }), folder); // WebGPU's least
    const quarter = await loadModel(openDry(gpu.info), folder, { quantize: "nf4" });
    console.log(
      `LLaVA-1.5-7B: float16 ${(half.gpu.bytes / 1e9).toFixed(2)} GB, nf4 ${(quarter.gpu.bytes / 1e9).toFixed(2)} GB`,
    );
    expect(half.gpu.bytes).toBeLessThan(14.2e9);
    expect(quarter.gpu.bytes).toBeLessThan(4.3e9);
    const { rows } = await readDataFile(dataFile.pathname, "mit_states");
    const ask = { ...sweeping, kinds: ["mlp_block", "attention_block"], head_positions: ["answer", "last"] } as const;
    const cost = await sweepCost(half, rows.slice(0, 1), ask as unknown as RunSettings, 1);
    console.log(
      `${cost.cells} cells: ${(cost.flop / 1e12).toFixed(1)} TFLOP, ${(cost.flop / cost.ideal).toFixed(3)} times the ideal`,
    );
    expect(cost.flop / cost.ideal).toBeLessThan(1.15);
    expect(cost.flop / cost.ideal).toBeGreaterThanOrEqual(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("samples that cannot be swept are left out, and the first reason is told", async () => {
  const [row] = (await readDataFile(dataFile.pathname, "mit_states")).rows;
  const dry = await loadModel(openDry(gpu.info), "blip-mini");
  const same = { ...row!, incorrectAnswer: row!.correctAnswer };
  const reason = expect.stringMatching(/start with the same word piece/);
  expect(await sweepCost(dry, [same], sweeping)).toMatchObject({ counted: 0, cells: 0, failed: reason });
  expect(await sweepCost(dry, [same, row!], sweeping)).toMatchObject({ sweeps: 2, counted: 1, failed: reason });
});
