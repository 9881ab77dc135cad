/** Plans, inputs and models that cannot be: each refusal names the place, what was got and what was expected. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { saveSafetensors } from "../../src/models/save-safetensors.node.ts";
import { applyPlan } from "../../src/patching/apply-plan.ts";
import { readPlan } from "../../src/patching/plan.ts";
import { expectUserError } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-bad-plan-"));
afterAll(() => rmSync(root, { recursive: true }));
const picture = "data/miniature/mit_states/images/red heart/1.jpg";
const other = "data/miniature/mit_states/images/blue heart/2.jpg";
const text = "Is this heart red or blue?";
let files = 0;

const input = { image: picture, text };
const good = { clean: input, corrupt: { ...input, image: other }, answers: ["red", "blue"] };
const output = "text_encoder.encoder.layer.3.output";
const withEdit = (edit: object) => ({ ...good, cells: [{ site: output, token: 1, ...edit }] });

describe("plans, as they are read", () => {
  test.for<[string, unknown, RegExp]>([
    ["a list", [], /^plan: got \[\], expected an object with/],
    ["an unknown field", { ...withEdit({}), cell: [] }, /^plan: has unknown field "cell"; nearest: "cells"/],
    [
      "an unknown field of an edit",
      withEdit({ tokn: 1 }),
      /plan\.cells\[0\]: has unknown field "tokn"; nearest: "token"/,
    ],
    ["no cells", { ...good, cells: [] }, /plan\.cells: got \[\], expected a list that is not empty/],
    [
      "no site",
      { ...good, cells: [[{ token: 1 }]] },
      /plan\.cells\[0\]\[0\]\.site: got nothing, expected the name of a site/,
    ],
    ["no token", withEdit({ token: undefined }), /\.token: got nothing, expected a token's number/],
    ["a negative token", withEdit({ token: -1 }), /\.token: got -1, expected a token's number/],
    ["a range the wrong way round", withEdit({ token: [5, 2] }), /\.token: got \[5,2\], expected .*\[first, last\]/],
    ["a head that is a word", withEdit({ head: "all" }), /\.head: got "all", expected a head's number, "each"/],
    [
      "a source token that is a word",
      withEdit({ source: "all" }),
      /\.source: got "all", expected a source token's number/,
    ],
    ["a source that is none", withEdit({ from: "cleen" }), /\.from: got "cleen", expected an object|expected "clean"/],
    [
      "two sources",
      withEdit({ from: { scale: 2, mean: "m.safetensors" } }),
      /\.from: got .*, expected "clean", "corrupt"/,
    ],
    ["a tensor without its key", withEdit({ from: { tensor: "t.safetensors" } }), /\.from: got .*\{tensor, key\}/],
    [
      "a scale that is a word",
      withEdit({ from: { add: "t", key: "k", scale: "2" } }),
      /\.from: got .*\{add, key, scale\}/,
    ],
    ["noise without a seed", withEdit({ from: { noise: { std: 1 } } }), /\.noise: got .*"seed": whole number/],
    ["an input of neither form", { ...withEdit({}), clean: { image: "a" } }, /plan\.clean: got .*"inputs": FILE/],
    [
      "one answer",
      { ...withEdit({}), answers: ["red"] },
      /plan\.answers: got \["red"\], expected two words or two token ids/,
    ],
    [
      "a direction that is none",
      { ...withEdit({}), direction: "up" },
      /plan\.direction: got "up", expected "denoising"/,
    ],
    [
      "-inf elsewhere than at scores",
      withEdit({ from: "-inf" }),
      /"-inf" cuts attention .* ends in \.scores, got site "/,
    ],
  ])("%s", ([, plan, message]) => expectUserError(() => readPlan(plan), message));
});

describe("with a device", () => {
  let gpu: Gpu;
  let model: Model;
  beforeAll(async () => {
    gpu = await openGpu();
    model = await loadModel(gpu, "blip-mini");
  });
  afterAll(() => {
    model.close();
    gpu.close();
  });

  const decoder = "text_decoder.bert.encoder.layer.0.output";
  test.for<[string, object, RegExp]>([
    [
      "an unknown site",
      withEdit({ site: "text_encoder.encoder.layer.3.outptu" }),
      /matches nothing in this model; nearest: text_encoder\.encoder\.layer\.3\.output,.*notice sites/,
    ],
    [
      "a pattern that matches nothing",
      withEdit({ site: "text_encoder.*.nothing" }),
      /matches nothing in this model; nearest: /,
    ],
    ["a token too large", withEdit({ token: 12 }), /layer\.3\.output: got token 12, it has tokens 0 to 8/],
    [
      "a range that ends too late",
      withEdit({ token: [8, 12] }),
      /layer\.3\.output: got tokens 8 to 12, it has tokens 0 to 8/,
    ],
    [
      "a token too large for a site of one",
      withEdit({ site: decoder, token: 5 }),
      /layer\.0\.output: got token 5, it has tokens 0 to 0/,
    ],
    ["a word that is not there", withEdit({ token: "word:rad" }), /the prompt has no word "rad"; nearest: red/],
    ["image tokens of a text site", withEdit({ token: "image" }), /has no image tokens; the vision tower has/],
    [
      "a patch outside the picture",
      withEdit({ site: "vision_model.encoder.layers.0", token: "image[3,12]" }),
      /12 x 12 patches, rows and columns 0 to 11/,
    ],
    [
      "a head too large",
      withEdit({ site: "text_encoder.encoder.layer.3.attention.self", head: 4 }),
      /got head 4, it has heads 0 to 3/,
    ],
    [
      "a source of a site without sources",
      withEdit({ source: 1 }),
      /layer\.3\.output: has no source axis; leave "source" out/,
    ],
    [
      "a source too large",
      withEdit({ site: "text_encoder.encoder.layer.3.attention.self.probs", source: 9 }),
      /got source 9, it has sources 0 to 8/,
    ],
    [
      "all attention cut",
      withEdit({ site: "text_encoder.encoder.layer.3.attention.self.scores", from: "-inf" }),
      /leaves it nothing to attend to; name some with "source"/,
    ],
    ["a head of a site without heads", withEdit({ head: 0 }), /got head 0, it has no heads/],
    [
      "each head of a site without heads",
      withEdit({ head: "each" }),
      /has no head axis, so head "each" matches nothing/,
    ],
    [
      "an unknown answer",
      { ...withEdit({}), answers: ["red", "☃"] },
      /answer "☃": the vocabulary does not know it; choose another word/,
    ],
    ["two answers that are one", { ...withEdit({}), answers: ["red", "red"] }, /start with the same token/],
    ["an answer id too large", { ...withEdit({}), answers: [3, 999] }, /got id 999, the vocabulary ends at 240/],
    [
      "a tensor file that is not there",
      withEdit({ from: { mean: "no.safetensors" } }),
      /no\.safetensors: found no such file/,
    ],
    [
      "edits together that do not go together",
      {
        ...good,
        cells: [
          [
            { site: output, token: "each" },
            { site: "text_encoder.encoder.layer.3.attention.self", token: 1, head: "each" },
          ],
        ],
      },
      /expand to 9 and 4 cells; expected equal numbers, or one/,
    ],
  ])("a plan with %s", ([, plan, message]) => expectUserError(() => applyPlan(model, readPlan(plan)), message));

  const pixels = new Float32Array(3 * 96 * 96);
  const ids = BigInt64Array.from([2n, 5n, 3n]);
  test.for<[string, Float32Array, number[], BigInt64Array, RegExp]>([
    [
      "pixels of another size",
      pixels.slice(27),
      [1, 3, 96, 95],
      ids,
      /pixel_values has shape \[.*\], expected \[1, 3, 96, 96\]/,
    ],
    [
      "an id too large",
      pixels,
      [1, 3, 96, 96],
      BigInt64Array.from([2n, 241n]),
      /input_ids: got 241, expected whole numbers from 0 to 240/,
    ],
    [
      "a negative id",
      pixels,
      [1, 3, 96, 96],
      BigInt64Array.from([-1n]),
      /input_ids: got -1, expected whole numbers from 0 to 240/,
    ],
    ["too many ids", pixels, [1, 3, 96, 96], new BigInt64Array(600), /got 600 tokens, expected 1 to \d+; shorten it/],
  ])("inputs with %s", async ([, values, shape, tokens, message]) => {
    const path = join(root, `${files++}.safetensors`);
    const data =
      shape.reduce((a, b) => a * b, 1) === values.length ? values : new Float32Array(shape.reduce((a, b) => a * b, 1));
    await saveSafetensors(path, [
      { name: "pixel_values", dtype: "F32", shape, data },
      { name: "input_ids", dtype: "I64", shape: [1, tokens.length], data: tokens },
    ]);
    await expectUserError(() => model.input({ inputs: path }), message);
  });

  type Json = Record<string, Record<string, unknown>>;
  test.for<[string, (config: Json) => object, RegExp]>([
    [
      "another activation",
      (c) => ({ ...c, text_config: { ...c.text_config, hidden_act: "swish" } }),
      /text_config\.hidden_act: got "swish", expected "gelu"/,
    ],
    [
      "no number of heads",
      (c) => ({ ...c, text_config: { ...c.text_config, num_attention_heads: undefined } }),
      /text_config\.num_attention_heads: got nothing, expected a whole number; write it/,
    ],
    [
      "another architecture",
      (c) => ({ ...c, architectures: ["BlipForImageTextRetrieval"] }),
      /is blip \/ BlipForImageTextRetrieval, expected blip \/ BlipForQuestionAnswering/,
    ],
    [
      "another width",
      (c) => ({ ...c, text_config: { ...c.text_config, intermediate_size: 256 } }),
      /intermediate\.dense\.weight has shape \[512, 128\], config\.json asks for \[256, 128\]; they belong/,
    ],
  ])("a config.json with %s", async ([, change, message]) => {
    const folder = join(root, `model-${files++}`);
    cpSync("weights/miniature/blip", folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Json;
    writeFileSync(join(folder, "config.json"), JSON.stringify(change(config)));
    await expectUserError(() => loadModel(gpu, folder), message);
  });
});
