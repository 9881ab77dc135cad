/** What a run may leave out, because it is remembered or shared, changes no bit of what it makes. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openGpu } from "#gpu";
import type { Gpu, Tier } from "../../src/kernels/gpu.ts";
import { captureTap } from "../../src/models/capture.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Activation, Input, Model } from "../../src/models/model.ts";
import { type Tap, untapped } from "../../src/models/scope.ts";
import { matchSites, siteIndex } from "../../src/models/sites.ts";
import { type Edit, spansOf } from "../../src/patching/cell.ts";
import { replaceTap, spawnTap } from "../../src/patching/spawn.ts";
import { pictures, readCase } from "./fixtures.ts";

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

  async function logitsOf(made: Input, tap: Tap, firstToken: number): Promise<Float32Array> {
    const logits = model.forward(made, tap, { firstToken });
    const values = await gpu.read(logits);
    gpu.release(logits);
    return values;
  }

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

  test.runIf(tier === "D")(
    "spawned rows have the bits of runs of their own, with and without remembered keys",
    async () => {
      const made = await input(readCase(0, "llava"));
      const alone: Float32Array[] = [(await model.run(made)).logits];
      for (const cell of spawned) {
        const edits = [edit(model, made, cell, 0)];
        const tap = replaceTap(gpu, edits, () => unreachable());
        alone.push(await logitsOf(made, tap, 0));
        tap.release();
      }
      for (const firstToken of [0, 69]) {
        const tap = spawnTap(gpu, [spawned.map((cell) => [edit(model, made, cell, firstToken)])], () => unreachable());
        const all = await logitsOf(made, tap, firstToken);
        const rows = [0, ...tap.rows].map((row) => all.slice(row * model.vocabSize, (row + 1) * model.vocabSize));
        expect(rows).toEqual(alone);
        expect(await tap.changed()).toEqual([spawned.map(() => true)]);
        tap.release();
      }
    },
  );

  test.runIf(tier === "D")("a spawned picture has the bits of a run of its own", async () => {
    const made = await input(readCase(0, "llava"));
    const cells = ["vision_tower.vision_model.encoder.layers.1.self_attn.v", "multi_modal_projector.act"].map(
      (site) => [edit(model, made, { site, token: 7, head: null }, 0)],
    );
    const tap = spawnTap(gpu, [cells], () => unreachable());
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

  test.runIf(tier === "D")(
    "the last layer makes one token, unless somebody looks at another, with the same bits",
    async () => {
      const made = await input(readCase(0, "llava"));
      const { layers, lastTokenSites } = model;
      const run = async (...sites: string[]) => {
        const tap = captureTap(gpu, model.sites, matchSites(model.sites, sites));
        const before = gpu.flop;
        const logits = await logitsOf(made, tap, 0);
        const of = (name: string) => tap.kept.get(name)!.shape[1];
        const shapes = sites.map(of);
        tap.release();
        return { flop: gpu.flop - before, logits, shapes };
      };
      const all = model.shapes(made.ids.length).get(layer(0))![1];
      const alone = await run();
      const below = await run(layer(layers - 2), `${layer(layers - 1)}.self_attn.v`);
      expect(below).toEqual({ ...alone, shapes: [all, all] });
      for (const name of [lastTokenSites[0]!, layer(layers - 1), "language_model.model.norm"]) {
        const looked = await run(name);
        expect(looked, name).toMatchObject({ logits: alone.logits, shapes: [all] });
        expect(looked.flop / alone.flop).toBeGreaterThan(1.05);
      }
    },
  );

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
