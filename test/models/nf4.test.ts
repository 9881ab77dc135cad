import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFile, openFolder } from "#files";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { readArchitecture } from "../../src/models/architectures.ts";
import { openCheckpoint, openSafetensors } from "../../src/models/checkpoint.ts";
import { floatToHalf, widenHalf } from "../../src/models/half.ts";
import { findModel, type LoadOptions, loadModel } from "../../src/models/load.ts";
import { isQuantized, nf4Rows, quantizeBlocks } from "../../src/models/nf4.ts";
import { saveSafetensors } from "../../src/models/save-safetensors.node.ts";
import { values as synthetic } from "../fullsize/synthetic.ts";
import { throughNf4 } from "../kernels/nf4.ts";
import { largestError, openTruth, pictures, readCase } from "./fixtures.ts";

describe("codes", () => {
  const fullsize = "test/fixtures/fullsize";
  const manifest = JSON.parse(readFileSync(`${fullsize}/llava.json`, "utf8"));

  /** Elements of a full-size matrix in float16, as its checkpoint has them. */
  const weights = (name: string, first: number, count: number) =>
    widenHalf(Uint16Array.from(synthetic(name, manifest.tensors[name], manifest.case.seed, first, count), floatToHalf));

  test("4096 weights of a LLaMA layer: codes, scales and values of bitsandbytes", async () => {
    const stored = await openSafetensors(await openFile(`${fullsize}/llava.safetensors`));
    const values = weights(manifest.runs.nf4.arrays_of, 0, 4096);
    const { codes, scales } = quantizeBlocks(values);
    expect(packed(codes)).toEqual(Buffer.from(await stored.read("nf4.packed")));
    expect(scales).toEqual(await stored.f32("nf4.absmax"));
    expect(throughNf4(values)).toEqual(await stored.f32("nf4.dequantised"));
    await stored.close();
  });

  test("all weights of a CLIP layer's queries, piece by piece: the hashes of bitsandbytes' arrays", () => {
    const name = "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight";
    const hashes = [createHash("sha256"), createHash("sha256")] as const;
    const step = 2 ** 18;
    for (let first = 0; first < 2 ** 20; first += step) {
      const { codes, scales } = quantizeBlocks(weights(name, first, step));
      hashes[0].update(packed(codes));
      hashes[1].update(new Uint8Array(scales.buffer));
    }
    const [packed_sha256, absmax_sha256] = hashes.map((hash) => hash.digest("hex"));
    expect({ packed_sha256, absmax_sha256 }).toEqual(manifest.runs["nf4.all"].quantised[name]);
  });

  test("around each threshold, at the ends, and in a block of zeros", () => {
    for (const [i, threshold] of thresholds.entries()) {
      const next = nextFloat(threshold);
      expect([...quantizeBlocks(Float32Array.of(1, threshold, next)).codes], `${threshold}`).toEqual([15, i, i + 1]);
    }
    expect([...quantizeBlocks(Float32Array.of(-3, 3, 0)).codes]).toEqual([0, 15, 7]);
    expect([...quantizeBlocks(Float32Array.of(-1e-40, 1e-40)).codes]).toEqual([0, 15]);
    expect([...throughNf4(new Float32Array(65))]).toEqual(new Array(65).fill(-0));
  });

  test("what is no number is refused", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => nf4Rows("q_proj.weight", "nf4", 2, Float32Array.of(1, bad))).toThrowErrorMatchingInlineSnapshot(
        `[UserError: nf4: q_proj.weight has a weight that is no finite number, which NF4 cannot hold; is the file whole?]`,
      );
    }
  });
});

/** Two codes to a byte, the first in the high bits. */
const packed = (codes: Uint8Array) =>
  Buffer.from(Uint8Array.from({ length: codes.length / 2 }, (_, i) => (codes[2 * i]! << 4) | codes[2 * i + 1]!));

const thresholds = [
  -0.8480964004993439, -0.6106329262256622, -0.4599952697753906, -0.33967943489551544, -0.23460740596055984,
  -0.13791173323988914, -0.045525018125772476, 0.03979014977812767, 0.1202552504837513, 0.2035212516784668,
  0.2920137718319893, 0.3893125355243683, 0.5016634166240692, 0.6427869200706482, 0.8614784181118011,
];

/** The float32 above. */
function nextFloat(x: number): number {
  const bits = new Int32Array(Float32Array.of(x).buffer);
  bits[0]! += x < 0 ? -1 : 1;
  return new Float32Array(bits.buffer)[0]!;
}

const kinds = ["llava", "blip"] as const;
type Kind = (typeof kinds)[number];

test.for<[Kind, string[]]>([
  ["llava", ["vision_tower.vision_model.embeddings.patch_embedding", "language_model.lm_head"]],
  ["blip", ["vision_model.embeddings.patch_embedding", "text_decoder.cls.predictions.decoder"]],
])("%s: every linear layer but the last", async ([kind, left]) => {
  const folder = await openFolder(findModel(`${kind}-mini`));
  const { wanted } = readArchitecture(await folder.json("config.json"), kind).dry(2);
  const matrices = [...wanted.values()].filter(({ form }) => form === "matrix").map(({ name }) => name);
  expect(matrices.filter((name) => !isQuantized(name))).toEqual(left.map((layer) => `${layer}.weight`));
});

describe("a miniature in NF4", () => {
  let gpu: Gpu;
  let folder: string;
  beforeAll(async () => {
    gpu = await openGpu({ tier: "D", toggles: "safe" });
    folder = mkdtempSync(join(tmpdir(), "notice-nf4-"));
  });
  afterAll(() => {
    gpu.close();
    rmSync(folder, { recursive: true });
  });

  test.for(kinds)("%s: every site has the bits of the opened weights in float32", async (kind) => {
    await writeThroughNf4(findModel(`${kind}-mini`), folder);
    const { image, text } = readCase(0, kind);
    const run = async (options: LoadOptions, name: string) => {
      const model = await loadModel(gpu, name, options);
      const result = await model.run(await model.input({ image: `${pictures}/${image}`, text }), { capture: ["**"] });
      model.close();
      return result;
    };
    const { logits, activations } = await run({ quantize: "nf4" }, `${kind}-mini`);
    const wide = await run({}, folder);
    for (const [name, { data }] of wide.activations) {
      expect(largestError(activations.get(name)!.data, data), name).toBe(0);
    }
    const plain = await openTruth(0, kind);
    expect(largestError(logits, (await plain.f32("logits")).slice(-logits.length))).toBeGreaterThan(0.01);
    await plain.close();
  });
});

/** The model with its linear layers sent through NF4 and stored in float32. */
async function writeThroughNf4(from: string, to: string): Promise<void> {
  for (const file of ["config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"]) {
    copyFileSync(join(from, file), join(to, file));
  }
  const checkpoint = await openCheckpoint(await openFolder(from));
  const tensors = [...checkpoint.tensors.values()].map(async ({ name, shape }) => {
    const data = await checkpoint.f32(name);
    const linear = shape.length === 2 && !/embed|lm_head|predictions.decoder/.test(name);
    return { name, dtype: "F32" as const, shape, data: linear ? throughNf4(data) : data };
  });
  await saveSafetensors(join(to, "model.safetensors"), await Promise.all(tensors), { format: "pt" });
  await checkpoint.close();
}
