import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFolder } from "#files";
import { openGpu } from "#gpu";
import type { Gpu, Tier } from "../../src/kernels/gpu.ts";
import { readBlipConfig } from "../../src/models/blip/config.ts";
import { dryForward } from "../../src/models/blip/model.ts";
import { blipSites } from "../../src/models/blip/vqa.ts";
import { openCheckpoint } from "../../src/models/checkpoint.ts";
import { findModel, loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { type Tap, untapped } from "../../src/models/scope.ts";
import { siteIndex } from "../../src/models/sites.ts";
import { claimedBound, largestError, openTruth, pictures, readCase } from "./fixtures.ts";

describe.each<{ tier: Tier }>([{ tier: "D" }, { tier: "B" }])("the miniature BLIP on tier $tier", ({ tier }) => {
  let gpu: Gpu;
  let model: Model;
  beforeAll(async () => {
    gpu = await openGpu({ tier, toggles: "safe" });
    model = await loadModel(gpu, "blip-mini");
  });
  afterAll(() => {
    model.close();
    gpu.close();
  });

  const input = ({ image, text }: { image: string; text: string }) =>
    model.input({ image: `${pictures}/${image}`, text });

  test.for(tier === "D" ? [0, 1, 2] : [1])(
    "case %i: every site is within twice PyTorch float32's own error of the float64 truth",
    async (number) => {
      const stored = readCase(number);
      const truth = await openTruth(number);
      const { activations } = await model.run(await input(stored), { capture: Object.keys(stored.sites) });
      const outside: string[] = [];
      let worst = { name: "", ratio: 0 };
      for (const [name, site] of Object.entries(stored.sites)) {
        expect(activations.get(name)!.shape, name).toEqual(site.shape);
        if (!truth.tensors.has(name)) continue;
        const error = largestError(activations.get(name)!.data, await truth.f32(name));
        const ratio = error / (claimedBound(site) / 2);
        if (!(ratio <= 2)) outside.push(`${name}: ${error}, ${ratio.toFixed(2)} times PyTorch's own`);
        if (ratio > worst.ratio) worst = { name, ratio };
      }
      console.log(
        `${gpu.info.name}, tier ${tier}, case ${number}: ${truth.tensors.size} sites, worst ${worst.ratio.toFixed(2)} times PyTorch's own error at ${worst.name}`,
      );
      await truth.close();
      expect(outside, "the first site that differs comes first").toEqual([]);
    },
  );

  test.for(tier === "D" ? [0, 1, 2] : [])("case %i: the same ids, the same answer", async (number) => {
    const stored = readCase(number);
    const made = await input(stored);
    expect(made.ids).toEqual(stored.input_ids);
    expect(await model.generate(made)).toEqual({ ids: stored.generated_ids, text: stored.answer });
  });

  test.runIf(tier === "D")("capturing changes no bit", async () => {
    const made = await input(readCase(1));
    const alone = await model.run(made);
    const watched = await model.run(made, { capture: ["**"] });
    expect(watched.logits).toEqual(alone.logits);
    expect(watched.activations.get("text_decoder.cls.predictions.decoder")!.data).toEqual(alone.logits);
  });

  test.runIf(tier === "D")("the forward visits the declared sites, in their order", async () => {
    const visited: string[] = [];
    const tap: Tap = {
      watches: () => true,
      site(name, activation) {
        visited.push(name);
        return activation;
      },
    };
    gpu.release(model.forward(await input(readCase(0)), tap));
    expect(visited).toEqual(model.sites.map(({ name }) => name));
  });

  test.runIf(tier === "D")("the heads' results add up to the attention's output", async () => {
    const at = "text_encoder.encoder.layer.3.crossattention";
    const { activations } = await model.run(await input(readCase(0)), {
      capture: [`${at}.self.result`, `${at}.output.dense`],
    });
    const { data, shape } = activations.get(`${at}.self.result`)!;
    const [, heads, tokens, width] = shape as [number, number, number, number];
    const checkpoint = await openCheckpoint(await openFolder(findModel("blip-mini")));
    const bias = await checkpoint.f32(`${at}.output.dense.bias`);
    await checkpoint.close();
    const sums = Float64Array.from({ length: tokens * width }, (_, i) => {
      const parts = Array.from({ length: heads }, (_, h) => data[h * tokens * width + i]!);
      return parts.reduce((a, b) => a + b, bias[i % width]!);
    });
    expect(largestError(activations.get(`${at}.output.dense`)!.data, sums)).toBeLessThan(4e-6);
  });

  test.runIf(tier === "D")("twenty forwards hold no more memory than two", async () => {
    const made = await input(readCase(0));
    const forward = () => gpu.release(model.forward(made, untapped));
    for (let i = 0; i < 2; i++) forward();
    const before = gpu.bytes;
    for (let i = 0; i < 20; i++) forward();
    await gpu.finish();
    expect(gpu.bytes).toBe(before);
  });
});

describe("sites", () => {
  const config = openFolder(findModel("blip-mini")).then(async (folder) =>
    readBlipConfig(await folder.json("config.json")),
  );

  test("a dry run, without a device, visits the declared sites in order", async () => {
    const { shapes } = dryForward(await config, 9);
    expect([...shapes.keys()]).toEqual(blipSites(await config).map(({ name }) => name));
  });

  test("every accepted name is unique", async () => {
    const sites = blipSites(await config);
    const names = sites.flatMap(({ name, aliases }) => [name, ...aliases.map((alias) => alias.name)]);
    expect(siteIndex(sites).size).toBe(names.length);
  });

  test("every name of the stored cases and of the full-size reference is accepted", async () => {
    const full = JSON.parse(readFileSync("test/fixtures/fullsize/blip.json", "utf8")).runs.A.sites as Record<
      string,
      unknown
    >;
    const fullConfig = readBlipConfig(JSON.parse(readFileSync("test/fixtures/fullsize/blip.config.json", "utf8")));
    const index = siteIndex(blipSites(fullConfig));
    expect(Object.keys(full).filter((name) => !index.has(name))).toEqual([]);
    const small = siteIndex(blipSites(await config));
    expect(Object.keys(readCase(0).sites).filter((name) => !small.has(name))).toEqual([]);
  });
});

describe("config", () => {
  const good = {
    vision_config: {
      hidden_size: 64,
      intermediate_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      image_size: 16,
      patch_size: 8,
    },
  };
  const text = {
    hidden_size: 64,
    intermediate_size: 8,
    num_hidden_layers: 1,
    vocab_size: 9,
    max_position_embeddings: 4,
    bos_token_id: 1,
    sep_token_id: 2,
  };

  test("a size that is left out fails by name: the class default of transformers would be wrong", () => {
    expect(() => readBlipConfig({ ...good, text_config: text })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: blip text_config.num_attention_heads: got nothing, expected a whole number; write it into config.json]`,
    );
  });

  test("another activation fails by name", () => {
    const other = { ...text, num_attention_heads: 2, hidden_act: "swish" };
    expect(() => readBlipConfig({ ...good, text_config: other })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: blip text_config.hidden_act: got "swish", expected "gelu", the only one that is built]`,
    );
  });
});
