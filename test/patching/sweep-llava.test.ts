import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openGpu } from "#gpu";
import type { Gpu, Tier } from "../../src/kernels/gpu.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { type Cell, copySpans, extent } from "../../src/patching/cell.ts";
import { resolveKind } from "../../src/patching/kinds.ts";
import { length, position } from "../../src/patching/positions.ts";
import { type Pair, singleCell, sweepPair } from "../../src/patching/sweep.ts";
import { pictures } from "../models/fixtures.ts";

/** Tier B compiles for long on a software adapter: only in `npm run test:long`. */
const tiers: { tier: Tier }[] = process.env.NOTICE_LONG ? [{ tier: "D" }, { tier: "B" }] : [{ tier: "D" }];

describe.each(tiers)("a sweep of LLaVA on tier $tier", ({ tier }) => {
  let gpu: Gpu;
  let model: Model;
  let pair: Pair;
  beforeAll(async () => {
    gpu = await openGpu({ tier, toggles: "safe" });
    model = await loadModel(gpu, "llava-mini");
    const input = (image: string) =>
      model.input({ image: `${pictures}/mit_states/images/${image}`, text: "Is this heart red or blue?" });
    const [base, other] = [await input("blue heart/2.jpg"), await input("red heart/1.jpg")];
    pair = { base, other, answers: [888, 582], direction: "denoising" };
  });
  afterAll(() => {
    model.close();
    gpu.close();
  });

  /** One cell at a token of each site that a pattern means; tokens count from the end. */
  function cellsOf(pattern: string, fromEnd: number | null, head: number | null = null): Cell[] {
    return resolveKind(model, pattern).sites.map(({ name, axes }) => {
      const shape = model.shapes(pair.base.ids.length).get(name)!.slice(1);
      const { tokens, heads } = extent(axes, shape);
      const token = fromEnd === null ? null : tokens - 1 - (fromEnd % tokens);
      const place = { toToken: token, fromToken: token, head: heads === 0 ? null : head };
      const spans = copySpans({ site: name, axes, to: shape, from: shape, ...place });
      return [{ site: name, source: "other", kind: "copy", factor: 0, spans }];
    });
  }

  const layers = "language_model.model.layers.*";
  const text = () => [
    ...cellsOf("mlp_block", 3),
    ...cellsOf("attention_block", 5, 2),
    ...cellsOf("output", 0),
    ...cellsOf(`${layers}.self_attn.probs`, 2, 1),
    ...cellsOf(`${layers}.self_attn.k`, 4, 0),
    ...cellsOf(`${layers}.mlp.gate_proj`, 1),
    ...cellsOf(`${layers}.mlp.up_proj`, 6),
  ];
  const picture = () => [
    ...cellsOf("mlp_block", 40),
    ...cellsOf("output", 73),
    ...cellsOf("vision_tower.vision_model.encoder.layers.1", 7),
    ...cellsOf("multi_modal_projector", null),
  ];

  test("cells have the same bits in one batch, in chunks of any size, and alone with nothing reused", async () => {
    const cells = [...text(), ...picture()].filter((_, i) => tier === "D" || i % 7 === 2);
    const whole = await sweepPair(model, pair, cells);
    for (const chunk of process.env.NOTICE_LONG ? [1, 5] : [5])
      expect((await sweepPair(model, pair, cells, { chunk })).cells).toEqual(whole.cells);
    for (let i = 0; i < cells.length; i += 4)
      expect((await singleCell(model, pair, cells[i]!)).row, cells[i]![0]!.site).toEqual(whole.cells[i]);
  });

  test("what lies behind all that the answer reads changes nothing, in any chunk", async () => {
    const cells = [
      ...cellsOf("vision_tower.vision_model.encoder.layers.4", 7),
      ...cellsOf("vision_tower.vision_model.encoder.layers.4.mlp", 9),
    ];
    for (const options of [{}, { chunk: 1 }]) {
      const { cells: rows, corrupt } = await sweepPair(model, pair, cells, options);
      for (const row of rows) expect(row).toEqual(corrupt);
    }
  });

  test("a forward that fails gives back what was captured", async () => {
    await sweepPair(model, pair, text());
    const { bytes } = gpu;
    const broken = { ...pair.other, imageKey: "cut", pixels: new Float32Array(3) };
    for (let i = 0; i < 3; i++)
      await expect(sweepPair(model, pair, text(), { runs: new Map([["cut", broken]]) })).rejects.toThrow(/expected/);
    expect(gpu.bytes).toBeLessThanOrEqual(bytes * 1.01);
  });

  test("the tokens before the first patched one are left out", async () => {
    const flop = async (cells: Cell[]) => {
      await sweepPair(model, pair, cells); // so that picture and prompts are known
      const before = gpu.flop;
      await sweepPair(model, pair, cells);
      return gpu.flop - before;
    };
    const asked = position(pair.base, pair.base.text!.words.find(({ text: word }) => word === "Is")!.first);
    const share = (length(pair.base) - asked) / length(pair.base);
    expect(share).toBeLessThan(0.2);
    const fromEnd = length(pair.base) - 1 - asked;
    expect(await flop(cellsOf("output", fromEnd))).toBeLessThan(1.5 * share * (await flop(cellsOf("output", 72))));
  });
});
