import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFolder } from "#files";
import { openGpu } from "#gpu";
import type { Gpu, Tier } from "../../src/kernels/gpu.ts";
import { captureTap } from "../../src/models/capture.ts";
import { openCheckpoint } from "../../src/models/checkpoint.ts";
import { newerNames, readLlavaConfig } from "../../src/models/llava/config.ts";
import { openLlavaInputs } from "../../src/models/llava/input.ts";
import { llavaSites } from "../../src/models/llava/llava.ts";
import { dryForward } from "../../src/models/llava/model.ts";
import { findModel, loadModel } from "../../src/models/load.ts";
import type { Activation, Input, Model } from "../../src/models/model.ts";
import { saveSafetensors } from "../../src/models/save-safetensors.node.ts";
import { type Tap, untapped } from "../../src/models/scope.ts";
import { matchSites, siteIndex } from "../../src/models/sites.ts";
import { type Edit, spansOf } from "../../src/patching/cell.ts";
import { replaceTap, spawnTap } from "../../src/patching/spawn.ts";
import { claimedBound, largestError, openTruth, pictures, readCase } from "./fixtures.ts";

describe.each<{ tier: Tier }>([{ tier: "D" }, { tier: "B" }])("the miniature LLaVA on tier $tier", ({ tier }) => {
  let gpu: Gpu;
  let model: Model;
  beforeAll(async () => {
    gpu = await openGpu({ tier, toggles: "safe" });
    model = await loadModel(gpu, "llava-mini");
  });
  afterAll(() => {
    model.close();
    gpu.close();
  });

  const input = ({ image, text }: { image: string; text: string }) =>
    model.input({ image: `${pictures}/${image}`, text });

  test.for(tier === "D" ? [0, 1, 2] : [0])(
    "case %i: every site is within twice PyTorch float32's own error of the float64 truth",
    async (number) => {
      const stored = readCase(number, "llava");
      const truth = await openTruth(number, "llava");
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
    const stored = readCase(number, "llava");
    const made = await input(stored);
    expect(made.ids).toEqual(stored.input_ids);
    expect(await model.generate(made)).toEqual({ ids: stored.generated_ids, text: stored.answer });
  });

  test.runIf(tier === "D")("capturing changes no bit", async () => {
    const made = await input(readCase(1, "llava"));
    const alone = await model.run(made);
    const watched = await model.run(made, { capture: ["**"] });
    expect(watched.logits).toEqual(alone.logits);
    const all = watched.activations.get("language_model.lm_head")!.data;
    expect(all.slice(-model.vocabSize)).toEqual(alone.logits);
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
    gpu.release(model.forward(await input(readCase(0, "llava")), tap));
    expect(visited).toEqual(model.sites.map(({ name }) => name));
  });

  test.runIf(tier === "D")("the heads' results add up to the attention's output", async () => {
    const at = "language_model.model.layers.3.self_attn";
    const { activations } = await model.run(await input(readCase(0, "llava")), { capture: [`${at}.result`, at] });
    const { data, shape } = activations.get(`${at}.result`)!;
    const [, heads, tokens, width] = shape as [number, number, number, number];
    const sums = Float64Array.from({ length: tokens * width }, (_, i) =>
      Array.from({ length: heads }, (_, h) => data[h * tokens * width + i]!).reduce((a, b) => a + b),
    );
    expect(largestError(activations.get(at)!.data, sums)).toBeLessThan(4e-6);
  });

  test("whatever the first token, the rest of the prompt has the bits of the whole forward", async () => {
    const made = await input(readCase(1, "llava"));
    const names = matchSites(model.sites, ["language_model.**"]);
    const whole = await model.run(made, { capture: ["language_model.**"] });
    for (const firstToken of tier === "D" ? [3, 37, 79] : [37]) {
      const tap = captureTap(gpu, model.sites, names);
      const logits = model.forward(made, tap, { firstToken });
      expect(await gpu.read(logits)).toEqual(whole.logits);
      const shapes = model.shapes(made.ids.length, firstToken);
      const differing = [...(await tap.read())].filter(([name, { data }]) => {
        expect(tap.kept.get(name)!.shape, name).toEqual(shapes.get(name));
        const rest = tokensFrom(whole.activations.get(name)!, name.endsWith("embed_tokens") ? 0 : firstToken);
        return Buffer.compare(bytes(data), bytes(rest)) !== 0;
      });
      expect(differing.map(([name]) => `${name} from ${firstToken} on`)).toEqual([]);
      gpu.release(logits);
      tap.release();
    }
  });

  test.runIf(tier === "D")("keys are remembered by the picture and the words before the first token", async () => {
    const [case0, case1] = [readCase(0, "llava"), readCase(1, "llava")];
    for (const { image, text } of [
      case0,
      { ...case0, image: case1.image },
      { ...case0, text: case0.text.replace("heart", "apple") },
      { ...case0, text: case0.text.replace("blue", "pink") },
    ]) {
      const made = await input({ image, text });
      expect(await logitsOf(made, untapped, 75), text).toEqual(await logitsOf(made, untapped, 0));
    }
  });

  test("spawned rows have the bits of runs of their own, with and without remembered keys", async () => {
    const made = await input(readCase(0, "llava"));
    const cells = tier === "D" ? spawned : spawned.slice(2, 3);
    const alone: Float32Array[] = [(await model.run(made)).logits];
    for (const cell of cells) {
      const edits = [edit(model, made, cell, 0)];
      const tap = replaceTap(gpu, edits, () => unreachable());
      alone.push(await logitsOf(made, tap, 0));
      tap.release();
    }
    for (const firstToken of tier === "D" ? [0, 69] : [69]) {
      const tap = spawnTap(
        gpu,
        cells.map((cell) => [edit(model, made, cell, firstToken)]),
        () => unreachable(),
      );
      const all = await logitsOf(made, tap, firstToken);
      const rows = [0, ...tap.rows].map((row) => all.slice(row * model.vocabSize, (row + 1) * model.vocabSize));
      expect(rows).toEqual(alone);
      expect(await tap.changed()).toEqual(cells.map(() => true));
      tap.release();
    }
  });

  async function logitsOf(made: Input, tap: Tap, firstToken: number): Promise<Float32Array> {
    const logits = model.forward(made, tap, { firstToken });
    const values = await gpu.read(logits);
    gpu.release(logits);
    return values;
  }

  test.runIf(tier === "D")("a spawned picture has the bits of a run of its own", async () => {
    const made = await input(readCase(0, "llava"));
    const cells = ["vision_tower.vision_model.encoder.layers.1.self_attn.v", "multi_modal_projector.act"].map(
      (site) => [edit(model, made, { site, token: 7, head: null }, 0)],
    );
    const tap = spawnTap(gpu, cells, () => unreachable());
    const all = await logitsOf(made, tap, 3);
    for (const [i, cell] of cells.entries()) {
      const one = replaceTap(gpu, cell, () => unreachable());
      const row = tap.rows[i]!;
      expect(all.slice(row * model.vocabSize, (row + 1) * model.vocabSize)).toEqual(await logitsOf(made, one, 0));
      one.release();
    }
    expect(() => model.forward(made, tap, { firstToken: 5 })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: firstToken: got 5, but vision_tower.vision_model.encoder.layers.1.self_attn.v is looked at, which acts from position 4 on; start there or before]`,
    );
    tap.release();
    expect(() => model.forward(made, untapped, { firstToken: 79 })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: firstToken: got 79, expected a whole number from 0 to 78, the last position]`,
    );
  });

  test.runIf(tier === "D")("a checkpoint with the newer names is the same model", async () => {
    const folder = mkdtempSync(join(tmpdir(), "notice-llava-"));
    try {
      await writeNewer(findModel("llava-mini"), folder);
      const newer = await loadModel(gpu, folder);
      const made = await input(readCase(2, "llava"));
      expect((await newer.run(made)).logits).toEqual((await model.run(made)).logits);
      newer.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.runIf(tier === "D")("forwards of one prompt make its keys once and hold no more memory", async () => {
    const made = await input(readCase(0, "llava"));
    const dispatches = (firstToken: number) => {
      const before = gpu.dispatches;
      gpu.release(model.forward(made, untapped, { firstToken }));
      return gpu.dispatches - before;
    };
    const forward = () => [0, 70].map(dispatches) as [number, number];
    for (let i = 0; i < 2; i++) forward();
    const before = gpu.bytes;
    for (let i = 0; i < 10; i++) {
      const [whole, rest] = forward();
      expect(rest).toBeLessThan(1.2 * whole);
    }
    await gpu.finish();
    expect(gpu.bytes).toBe(before);
  });
});

/** The model under the prefixes that transformers writes since 4.52. */
async function writeNewer(from: string, to: string): Promise<void> {
  for (const file of ["config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"]) {
    copyFileSync(join(from, file), join(to, file));
  }
  const checkpoint = await openCheckpoint(await openFolder(from));
  const tensors = [...checkpoint.tensors.values()].map(async ({ name, dtype, shape }) => {
    const [newer] = newerNames(name);
    expect(newer, name).toMatch(/^(lm_head|model\.(language_model|vision_tower|multi_modal_projector))\./);
    return { name: newer!, dtype, shape, data: await checkpoint.read(name) };
  });
  await saveSafetensors(join(to, "model.safetensors"), await Promise.all(tensors), { format: "pt" });
  await checkpoint.close();
}

interface Place {
  readonly site: string;
  readonly token: number;
  readonly head: number | null;
}

const layer = (i: number) => `language_model.model.layers.${i}`;

/** Places behind position 69. Of the word table, 10 is the position 73. */
const spawned: readonly Place[] = [
  { site: "language_model.model.embed_tokens", token: 10, head: null },
  { site: "language_model.model.rotary.cos", token: 73, head: null },
  { site: `${layer(0)}.self_attn.k`, token: 72, head: 1 },
  { site: `${layer(2)}.self_attn.z`, token: 75, head: 2 },
  { site: `${layer(3)}.mlp.act_fn`, token: 71, head: null },
  { site: `${layer(3)}.self_attn.scores`, token: 76, head: 0 },
  { site: `${layer(4)}.self_attn.v`, token: 69, head: null },
  { site: layer(5), token: 78, head: null },
];

/** Fills a place with a number. */
function edit(model: Model, { ids }: Input, { site, token, head }: Place, firstToken: number): Edit {
  const { axes } = siteIndex(model.sites).get(site)!;
  const shape = model.shapes(ids.length, firstToken).get(site)!.slice(1);
  const at = token - (site.endsWith("embed_tokens") ? 0 : firstToken);
  const spans = spansOf(site, axes, shape, at, head).map(({ at, length }) => ({ to: at, from: 0, length }));
  return { site, source: "base", kind: "fill", factor: 0.25, spans };
}

const unreachable = () => {
  throw new Error("nothing is copied here");
};

const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);

/** The values of the tokens from `first` on. */
function tokensFrom({ axes, shape, data }: Activation, first: number): Float32Array {
  const axis = axes.split(" ").indexOf("token") + 1;
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const count = shape[axis]!;
  return data.filter((_, i) => Math.floor(i / inner) % count >= first);
}

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
    const at = `${layer(0)}.self_attn`;
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
  /** As the published checkpoint has it: what equals the class default is left out. */
  const published = {
    image_token_index: 32000,
    projector_hidden_act: "gelu",
    text_config: { max_position_embeddings: 4096, model_type: "llama", rms_norm_eps: 1e-5, vocab_size: 32064 },
    tie_word_embeddings: false,
    vision_config: {
      hidden_size: 1024,
      image_size: 336,
      intermediate_size: 4096,
      model_type: "clip_vision_model",
      num_attention_heads: 16,
      num_hidden_layers: 24,
      patch_size: 14,
    },
    vision_feature_layer: -2,
    vision_feature_select_strategy: "default",
  };
  const text = (fields: object) => ({ ...published, text_config: { ...published.text_config, ...fields } });

  test("what real checkpoints leave out is LLaMA's and CLIP's", () => {
    const { text, ...rest } = readLlavaConfig(published);
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
      eosTokenId: 2,
    });
    expect(rest).toMatchObject({ imageTokenId: 32000, featureState: 23, withClass: false, imageTokens: 576 });
  });

  test("the spelling of transformers 5 means the same", () => {
    const { image_token_index, ...rest } = text({ rope_parameters: { rope_theta: 10000, rope_type: "default" } });
    expect(readLlavaConfig({ ...rest, image_token_id: 32000 })).toEqual(readLlavaConfig(published));
  });

  test("the whole picture with its class token", () => {
    const whole = { ...published, vision_feature_layer: 0, vision_feature_select_strategy: "full" };
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
    ["a list of feature layers", { ...published, vision_feature_layer: [-2, -5] }],
    ["a layer that is not there", { ...published, vision_feature_layer: -26 }],
    ["another selection", { ...published, vision_feature_select_strategy: "cls" }],
    ["no vision_config", { ...published, vision_config: undefined }],
  ])("%s fails by name", ([, json]) => {
    expect(() => readLlavaConfig(json)).toThrowErrorMatchingSnapshot();
  });
});
