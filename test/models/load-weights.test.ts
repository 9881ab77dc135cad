import { describe, expect, test } from "vitest";
import { openFolder } from "#files";
import { openGpu } from "#gpu";
import { openDry } from "../../src/kernels/dry.ts";
import type { AdapterInfo } from "../../src/kernels/gpu.ts";
import { readArchitecture } from "../../src/models/architectures.ts";
import { openCheckpoint, openSafetensors } from "../../src/models/checkpoint.ts";
import { findModel } from "../../src/models/load.ts";
import { loadWeights } from "../../src/models/load-weights.ts";
import { wantedWeights } from "../../src/models/wanted.ts";
import { entry, fileOf, memory } from "./safetensors-file.ts";

const biased = (path: string) => ({ weight: `${path}.weight`, bias: `${path}.bias` });

describe("a miniature's weights", async () => {
  const folder = await openFolder(findModel("blip-mini"));
  const asked = readArchitecture(await folder.json("config.json"), "blip-mini").dry(2);
  const checkpoint = await openCheckpoint(folder);
  const load = async (info: Partial<AdapterInfo>, quantized = false) => {
    const dry = openDry(info);
    const weights = await loadWeights(dry, checkpoint, asked, quantized ? { quantized: () => true } : {});
    return { dry, weights };
  };

  test.for([
    ["D", false],
    ["D", true],
    ["B", false],
    ["B", true],
  ] as const)("tier %s, NF4 %s: what reads the same input is one product", async ([tier, quantized]) => {
    const { dry, weights } = await load({ tier }, quantized);
    const self = ["query", "key", "value"].map((name) => biased(`text_encoder.encoder.layer.2.attention.self.${name}`));
    const [one, ...others] = weights.linears(self, 128, 128);
    expect(one).toMatchObject({ layers: 3, weight: { first: 0, outputs: 384 }, bias: { shape: [384] } });
    expect(others).toEqual([]);
    const pair = (layer: number) =>
      ["key", "value"].map((name) => biased(`text_encoder.encoder.layer.${layer}.crossattention.self.${name}`));
    const cross = weights.linears([0, 1, 2, 3, 4, 5].flatMap(pair), 128, 128);
    expect(cross).toMatchObject([{ layers: 12, weight: { first: 0, outputs: 1536 } }]);
    expect(weights.linears(pair(2), 128, 128)).toMatchObject([{ layers: 2, weight: { first: 512, outputs: 256 } }]);
    expect(weights.linears([...pair(2)].reverse(), 128, 128)).toMatchObject([
      { layers: 1, weight: { first: 640, outputs: 128 } },
      { layers: 1, weight: { first: 512, outputs: 128 } },
    ]);
    weights.release();
    if (tier === "D") expect(dry.bytes).toBeLessThan(2 ** 22); // what was lent stays with the arena
  });

  test("weights that one binding could not hold lie apart", async () => {
    const { weights } = await load({ tier: "B", maxBindingBytes: 300_000 });
    const names = [0, 1, 2, 3, 4, 5].flatMap((layer) =>
      ["key", "value"].map((name) => biased(`text_encoder.encoder.layer.${layer}.crossattention.self.${name}`)),
    );
    const found = weights.linears(names, 128, 128);
    expect(found.length).toBeGreaterThan(1);
    expect(found.reduce((total, { layers }) => total + layers, 0)).toBe(12);
  });
});

test("weights of other types, or one without a bias, lie apart", async () => {
  const header = [
    `"a.weight":${entry("F32", "[4,2]", "[0,32]")}`,
    `"b.weight":${entry("F16", "[4,2]", "[32,48]")}`,
    `"c.weight":${entry("F32", "[4,2]", "[48,80]")}`,
    `"d.weight":${entry("F32", "[4,2]", "[80,112]")}`,
    `"d.bias":${entry("F32", "[4]", "[112,128]")}`,
    `"e.weight":${entry("F32", "[4,2]", "[128,160]")}`,
  ].join();
  const checkpoint = await openSafetensors(memory(fileOf(`{${header}}`, 160)));
  const { weights: noted, ...asked } = wantedWeights();
  const names = [..."abcde"].map((name) => ({
    weight: `${name}.weight`,
    bias: name === "d" ? "d.bias" : null,
  }));
  for (const some of [names.slice(0, 3), [names[2]!, names[3]!], [names[2]!, names[4]!]]) noted.linears(some, 4, 2);
  const weights = await loadWeights(openDry(), checkpoint, asked);
  expect(weights.linears(names, 4, 2).map(({ layers, bias }) => [layers, bias !== undefined])).toEqual([
    [1, false],
    [1, false],
    [1, false],
    [1, true],
    [1, false],
  ]);
  expect(weights.linears([names[2]!, names[4]!], 4, 2)).toMatchObject([{ layers: 2, weight: { outputs: 8 } }]);
});

test("a checkpoint that fails in weight and bias fails once, with nothing left unheard", async () => {
  const folder = await openFolder(findModel("blip-mini"));
  const asked = readArchitecture(await folder.json("config.json"), "blip-mini").dry(2);
  const checkpoint = await openCheckpoint(folder);
  const gone = async () => {
    throw new Error("the disk is gone");
  };
  const later = () => new Promise<never>((_, reject) => setTimeout(() => reject(new Error("still gone")), 20));
  const broken = {
    ...checkpoint,
    readInto: gone,
    readRange: gone,
    f32: (name: string) => (/linear|query|qkv|patch.*bias/.test(name) ? later() : checkpoint.f32(name)),
  };
  const gpu = await openGpu({ toggles: "safe" });
  try {
    await expect(loadWeights(gpu, broken, asked)).rejects.toThrow("the disk is gone");
    await new Promise((resolve) => setTimeout(resolve, 50)); // else the second failure would come after the test
  } finally {
    gpu.close();
    await checkpoint.close();
  }
});
