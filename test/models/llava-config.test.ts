import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openFolder } from "#files";
import type { Folder } from "../../src/models/files.ts";
import { answerEnds } from "../../src/models/llava/answer-ends.ts";
import { readLlavaConfig } from "../../src/models/llava/config.ts";
import { openLlavaInputs } from "../../src/models/llava/input.ts";
import { llavaSites } from "../../src/models/llava/llava.ts";
import { dryForward } from "../../src/models/llava/model.ts";
import { findModel } from "../../src/models/load.ts";
import { siteIndex } from "../../src/models/sites.ts";
import { pictures, readCase } from "./fixtures.ts";
import { sevenBillion } from "./seven-billion.ts";

describe("inputs", () => {
  const inputs = openFolder(findModel("llava-mini")).then(async (folder) =>
    openLlavaInputs(folder, readLlavaConfig(await folder.json("config.json"))),
  );
  const image = `${pictures}/${readCase(0, "llava").image}`;
  const pixels = new Float32Array(3 * 96 * 96);
  const images = (count: number) => new Array<number>(count).fill(999);

  test("a question gets the prompt's form, a whole prompt stays as it is", async () => {
    const { text, input_ids } = readCase(0, "llava");
    const made = await (await inputs).read({ image, text: "Is this heart red or blue?" });
    expect(made.ids).toEqual(input_ids);
    expect(made.picture).toEqual({ at: 4, tokens: 64 });
    expect(await (await inputs).read({ image, text })).toEqual(made);
  });

  test("words are found by how they are written in the prompt", async () => {
    const made = await (await inputs).read({ image, text: "Is this person feeling disgusted or happy?" });
    const find = async (word: string) => (await inputs).findWord(made, word).map((i) => made.text!.tokens[i]);
    expect(await find("Is")).toEqual(["Is"]);
    expect((await find("disgusted")).join("")).toBe("▁disgusted");
    expect(await find("feeling")).toEqual(["▁feeling"]);
    expect((await find("person feeling")).join("")).toBe("▁person▁feeling");
    expect(await find("feel")).toEqual([]);
  });

  test("one <image>, or a run of as many as the picture has vectors", async () => {
    const { read } = await inputs;
    const one = await read({ pixels, ids: [1, 293, 999, 997] });
    expect(await read({ pixels, ids: [1, 293, ...images(64), 997] })).toEqual(one);
    for (const ids of [
      [1, 293],
      [1, ...images(63)],
      [1, ...images(32), 293, ...images(32)],
    ]) {
      await expect(read({ pixels, ids })).rejects.toThrowErrorMatchingSnapshot();
    }
  });

  test("what the model cannot read is refused", async () => {
    const { read } = await inputs;
    const long = new Array<number>(450).fill(293);
    for (const source of [
      { pixels: new Float32Array(3), ids: [1, 999] },
      { pixels, ids: [999, ...long] },
      { pixels, ids: [999, 1001] },
    ]) {
      await expect(read(source)).rejects.toThrowErrorMatchingSnapshot();
    }
  });
});

describe("sites", () => {
  const config = openFolder(findModel("llava-mini")).then(async (folder) =>
    readLlavaConfig(await folder.json("config.json")),
  );

  test("a dry run, without a device, visits the declared sites in order", async () => {
    const { shapes } = dryForward(await config, 9);
    expect([...shapes.keys()]).toEqual(llavaSites(await config).map(({ name }) => name));
  });

  test("every accepted name is unique", async () => {
    const sites = llavaSites(await config);
    const names = sites.flatMap(({ name, aliases }) => [name, ...aliases.map((alias) => alias.name)]);
    expect(siteIndex(sites).size).toBe(names.length);
  });

  test("every name of the stored cases and of the full-size reference is accepted", async () => {
    const full = siteIndex(llavaSites(readLlavaConfig(fullsize)));
    expect(fullsizeNames.filter((name) => !full.has(name))).toEqual([]);
    const small = siteIndex(llavaSites(await config));
    expect(Object.keys(readCase(0, "llava").sites).filter((name) => !small.has(name))).toEqual([]);
  });

  test("fewer key and value heads make narrower keys and values, which their heads share", async () => {
    const json = await (await openFolder(findModel("llava-mini"))).json("config.json");
    const { text_config } = json as { text_config: object };
    const grouped = { ...(json as object), text_config: { ...text_config, num_key_value_heads: 2 } };
    const { shapes, wanted } = dryForward(readLlavaConfig(grouped), 9);
    const at = `language_model.model.layers.0.self_attn`;
    expect([`${at}.k_proj`, `${at}.k`, `${at}.v`, `${at}.z`].map((name) => shapes.get(name))).toEqual([
      [1, 72, 2, 32],
      [1, 72, 2, 32],
      [1, 72, 2, 32],
      [1, 72, 4, 32],
    ]);
    expect(wanted.get(`${at}.v_proj.weight`)!.shape).toEqual([64, 128]);
  });
});

const readJson = (file: string) => JSON.parse(readFileSync(file, "utf8"));
const fullsize: { text_config: object; vision_config: object } = readJson("test/fixtures/fullsize/llava.config.json");
const runs: Record<string, { sites: object }> = readJson("test/fixtures/fullsize/llava.json").runs;
const fullsizeNames = Object.values(runs).flatMap(({ sites }) => Object.keys(sites));

describe("config", () => {
  const text = (fields: object) => ({ ...sevenBillion, text_config: { ...sevenBillion.text_config, ...fields } });

  test("what real checkpoints leave out is LLaMA's and CLIP's", () => {
    const { text, ...rest } = readLlavaConfig(sevenBillion);
    expect(text).toEqual({
      hiddenSize: 4096,
      intermediateSize: 11008,
      numHiddenLayers: 32,
      numAttentionHeads: 32,
      numKeyValueHeads: 32,
      vocabSize: 32064,
      maxPositionEmbeddings: 4096,
      rmsNormEps: 1e-5,
      ropeTheta: 10000,
      eosTokenIds: [2],
    });
    expect(rest).toMatchObject({ imageTokenId: 32000, featureState: 23, withClass: false, imageTokens: 576 });
  });

  const endsOf = (generation: unknown) => {
    const folder = { has: async () => generation !== undefined, json: async () => generation } as unknown as Folder;
    return answerEnds(folder, readLlavaConfig(text({ eos_token_id: [7, 8] })));
  };

  test("answers end where generation_config.json says, else where config.json does", async () => {
    expect(await endsOf({ eos_token_id: 3 })).toEqual([3]);
    expect(await endsOf({ eos_token_id: [3, 4] })).toEqual([3, 4]);
    for (const silent of [undefined, {}, { eos_token_id: null }]) expect(await endsOf(silent)).toEqual([7, 8]);
  });

  test.for<[string, unknown]>([
    ["a word", { eos_token_id: "</s>" }],
    ["an empty list", { eos_token_id: [] }],
    ["a list with a word", { eos_token_id: [2, "</s>"] }],
    ["a negative number", { eos_token_id: -1 }],
    ["no object", [2]],
  ])("an end that is %s fails by name", async ([, generation]) => {
    await expect(endsOf(generation)).rejects.toThrowErrorMatchingSnapshot();
  });

  test("the spelling of transformers 5 means the same", () => {
    const { image_token_index, ...rest } = text({ rope_parameters: { rope_theta: 10000, rope_type: "default" } });
    expect(readLlavaConfig({ ...rest, image_token_id: 32000 })).toEqual(readLlavaConfig(sevenBillion));
  });

  test("the whole picture with its class token", () => {
    const whole = { ...sevenBillion, vision_feature_layer: 0, vision_feature_select_strategy: "full" };
    expect(readLlavaConfig(whole)).toMatchObject({ featureState: 0, withClass: true, imageTokens: 577 });
  });

  test.for<[string, object]>([
    ["a size that real checkpoints state", text({ vocab_size: undefined })],
    ["another activation", text({ hidden_act: "gelu" })],
    ["scaled rotation", text({ rope_scaling: { type: "linear", factor: 2 } })],
    ["scaled rotation, spelt anew", text({ rope_parameters: { rope_theta: 1e4, rope_type: "yarn" } })],
    ["biased attention", text({ attention_bias: true })],
    ["a tied head", text({ tie_word_embeddings: true })],
    ["wider heads", text({ head_dim: 64 })],
    ["heads that cannot share", text({ num_key_value_heads: 5 })],
    ["another language model", text({ model_type: "mistral" })],
    ["a list of feature layers", { ...sevenBillion, vision_feature_layer: [-2, -5] }],
    ["a layer that is not there", { ...sevenBillion, vision_feature_layer: -26 }],
    ["another selection", { ...sevenBillion, vision_feature_select_strategy: "cls" }],
    ["no vision_config", { ...sevenBillion, vision_config: undefined }],
  ])("%s fails by name", ([, json]) => {
    expect(() => readLlavaConfig(json)).toThrowErrorMatchingSnapshot();
  });
});
