/** Several samples in one growing batch have the bits that each has alone. */
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { openGpu } from "#gpu";
import { type DataRow, readDataFile } from "../../src/data/samples.ts";
import { openDry } from "../../src/kernels/dry.ts";
import type { Tensor } from "../../src/kernels/tensor.ts";
import { captureTap } from "../../src/models/capture.ts";
import { UserError } from "../../src/models/errors.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Input, Model } from "../../src/models/model.ts";
import { untapped } from "../../src/models/scope.ts";
import { matchSites, type Site } from "../../src/models/sites.ts";
import type { Cell } from "../../src/patching/cell.ts";
import { type Pair, sweepPair, sweepPairs } from "../../src/patching/sweep.ts";
import { type Outcome, sweepUnits, type UnitSettings } from "../../src/patching/units.ts";
import { pictures } from "../models/fixtures.ts";
import { copyCell } from "./copy-cell.ts";
import { dataFile } from "./synthetic.ts";

describe.each(process.env.NOTICE_LONG ? (["D", "B"] as const) : (["D"] as const))(
  "pairs that share a batch, tier %s",
  async (tier) => {
    const gpu = await openGpu({ tier, toggles: "safe" });
    const model = await loadModel(gpu, "blip-mini");
    afterAll(() => {
      model.close();
      gpu.close();
    });
    const input = (image: string, text = "Is this heart red or blue?") =>
      model.input({ image: `${pictures}/mit_states/images/${image}`, text });
    const [blue, red] = [await input("blue heart/2.jpg"), await input("red heart/1.jpg")];
    const turned = await input("red heart/1.jpg", "Is this heart blue or red?");
    const pairs: readonly Pair[] = [
      { base: blue, other: red, answers: [96, 76], direction: "denoising" },
      { base: red, other: blue, answers: [76, 96], direction: "denoising" },
      { base: turned, other: red, answers: [76, 96], direction: "denoising" },
    ];

    /** Two cells at each site: a token (and head), and all. */
    const cellsAt = (sites: readonly Site[]): Cell[] =>
      sites.flatMap((site) => [copyCell(model, blue, site, 3, 1), copyCell(model, blue, site, null, null)]);

    async function expectAlike(cells: readonly Cell[], some = pairs): Promise<void> {
      const together = await sweepPairs(
        model,
        some.map((pair) => ({ pair, cells })),
      );
      for (const [i, pair] of some.entries())
        expect(together[i], cells[0]![0]!.site).toEqual(await sweepPair(model, pair, cells));
    }

    const joint = model.sites.filter(({ name }) => model.jointSites.includes(name));

    test("a forward has the bits that each input has alone, watched or not", async () => {
      const inputs = [blue, turned, await input("blue heart/2.jpg", "Is this heart blue or red?")];
      const read = (logits: Tensor) => gpu.read(logits).finally(() => gpu.release(logits));
      for (const patterns of [[], ["text_encoder.encoder.layer.*.crossattention.self.*", "text_decoder.**"]]) {
        const captured = async (given: readonly Input[]) => {
          const tap = captureTap(gpu, model.sites, matchSites(model.sites, patterns));
          const values = new Map([["logits", await read(model.forward(given, patterns.length > 0 ? tap : untapped))]]);
          for (const [name, { data }] of await tap.read()) values.set(name, data);
          tap.release();
          return values;
        };
        const together = await captured(inputs);
        for (const [i, one] of inputs.entries()) {
          for (const [name, data] of await captured([one])) {
            const rows = together.get(name)!;
            const first = rows.length === data.length ? 0 : i * data.length; // one row for all
            expect(rows.subarray(first, first + data.length), name).toEqual(data);
          }
        }
      }
    });

    /** Where rows of fewer variants meet those of more; every site of a layer in `npm run test:long`. */
    const alone = process.env.NOTICE_LONG
      ? /\.layer\.2\.|^((?!\.layer\.).)*$/
      : /encoder\.embeddings\.|encoder\.layer\.2\.attention\.self\.[qkvspr]|encoder\.layer\.2\.cross.*\.(k|v|probs)$|cls.*transform$/;

    test("at a site alone", { timeout: 120_000 }, async () => {
      const sites = joint.filter(({ name }) => alone.test(name) && !/decoder.*\.(scores|result)$/.test(name));
      expect(sites.length).toBeGreaterThanOrEqual(18);
      for (const site of sites) await expectAlike(cellsAt([site]), pairs.slice(1));
    });

    test("at many sites together", { timeout: 120_000 }, async () => {
      const sites = joint.filter(({ name }) => !/layer\.[1-9]/.test(name) || /encoder\.layer\.5\./.test(name));
      await expectAlike(cellsAt(sites));
    });

    test("in noising, in chunks, and where all look at one picture", async () => {
      const cells = cellsAt(
        joint.filter(({ name }) => /^text_encoder.*layer\.[13]\.(cross|)attention\.self$/.test(name)),
      );
      expect(cells).toHaveLength(8);
      const noising = pairs.map((pair): Pair => ({ ...pair, direction: "noising" }));
      await expectAlike(cells, noising);
      const words = [turned, red].map((base): Pair => ({ ...pairs[2]!, base }));
      await expectAlike(cells, words);
      const memory = joint.filter(({ name }) => /encoder\.layer\.2\.crossattention\.self\.[kqv]$/.test(name));
      for (const site of memory) await expectAlike(cellsAt([site]), words);
      const patched = pairs.map((pair) => ({ pair, cells }));
      expect(await sweepPairs(model, patched, { chunk: 3 })).toEqual(await sweepPairs(model, patched));
    });

    test("others are refused", async () => {
      const cells = cellsAt(joint.slice(0, 1));
      const longer = await input("red heart/1.jpg", "Is this big heart blue or red?");
      const patched = [pairs[0]!, { ...pairs[0]!, base: longer }].map((pair) => ({ pair, cells }));
      await expect(sweepPairs(model, patched)).rejects.toThrow(/^sweepPairs: got prompts of different lengths/);
      const places = [cells, cellsAt(joint.slice(1, 2))].map((own) => ({ pair: pairs[0]!, cells: own }));
      await expect(sweepPairs(model, places)).rejects.toThrow(/cells at different places/);
      const vision = cellsAt(model.sites.filter(({ name }) => name === "vision_model.post_layernorm"));
      const looking = pairs.map((pair) => ({ pair, cells: vision }));
      await expect(sweepPairs(model, looking)).rejects.toThrow(/got 3 inputs for a forward with a tap at vision_model/);
    });
  },
);

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("the samples of a run", async () => {
  const gpu = await openGpu({ toggles: "safe" });
  const model = await loadModel(gpu, "blip-mini");
  afterAll(() => {
    model.close();
    gpu.close();
  });
  const { rows } = await readDataFile(dataFile.pathname, "facial_expressions");
  const settings: UnitSettings = {
    ...{ kinds: ["crossattention_block"], heads: "none", positions: ["answer"], head_positions: ["answer"] },
    ...{ direction: "denoising", defects: {}, min_denominator: 1e-3 },
  };

  /** The outcomes, and with how many inputs each forward was made. */
  async function swept(some: readonly DataRow[], broken?: (model: Model) => Model, own = model) {
    const forwards: number[] = [];
    const watched: Model = {
      ...own,
      forward(inputs, tap, options) {
        forwards.push([inputs].flat().length);
        return own.forward(inputs, tap, options);
      },
    };
    const units = some.flatMap((sample) => (["image", "text"] as const).map((mode) => ({ sample, mode })));
    const outcomes: Outcome[] = [];
    for await (const outcome of sweepUnits(broken?.(watched) ?? watched, units, settings)) outcomes.push(outcome);
    expect(outcomes.map(({ unit }) => unit)).toEqual(units);
    return { outcomes, forwards };
  }

  const numbers = (outcome: Outcome) => ("failed" in outcome ? outcome.failed.message : outcome.result);

  test("come in order, with the numbers that each has alone; a failed one is left out", async () => {
    const some = [...rows.slice(4, 7), { ...rows[2]!, correctAnswer: rows[2]!.incorrectAnswer }, rows[3]!];
    const { outcomes, forwards } = await swept(some);
    expect(Math.max(...forwards)).toBeGreaterThan(2);
    expect(Math.max(...forwards)).toBeLessThanOrEqual(4);
    const alone: Outcome[] = [];
    for (const row of some) {
      const one = await swept([row]);
      alone.push(...one.outcomes);
    }
    expect(outcomes.map(numbers)).toEqual(alone.map(numbers));
    expect(outcomes.filter((outcome) => "failed" in outcome)).toHaveLength(2);
  });

  test("a batch that does not fit into memory is swept one by one", async () => {
    const some = rows.slice(0, 2);
    const whole = await swept(some);
    const bytesOf = async (work: (model: Model) => Promise<unknown>): Promise<number> => {
      const dry = openDry(gpu.info);
      await work(await loadModel(dry, "blip-mini"));
      return dry.bytes;
    };
    const bytes = await bytesOf(async (own) => {
      for (const row of some) await swept([row], undefined, { ...own, jointSites: [] });
    });
    expect(await bytesOf((own) => swept(some, undefined, own))).toBeGreaterThan(1.2 * bytes);
    vi.stubEnv("NOTICE_MEMORY", String(Math.ceil(1.02 * bytes)));
    const small = await openGpu({ toggles: "safe" });
    const own = await loadModel(small, "blip-mini");
    const { outcomes, forwards } = await swept(some, undefined, own);
    expect(outcomes.map(numbers)).toEqual(whole.outcomes.map(numbers));
    expect(Math.min(...forwards)).toBe(1);
    own.close();
    small.close();
  });

  test("where a batch fails, its samples are swept alone", async () => {
    const bad = await model.input({ image: rows[1]!.corruptImage, text: rows[1]!.cleanPrompt });
    const breaking = (whole: Model): Model => ({
      ...whole,
      forward(inputs, tap, options) {
        const logits = whole.forward(inputs, tap, options);
        if (![inputs].flat().some(({ imageKey }) => imageKey === bad.imageKey)) return logits;
        gpu.release(logits);
        throw new UserError("this picture breaks the model");
      },
    });
    const { outcomes, forwards } = await swept(rows.slice(0, 3), breaking);
    const whole = await swept(rows.slice(0, 3));
    expect(outcomes.map((outcome) => "failed" in outcome)).toEqual([false, false, true, false, false, false]);
    outcomes.forEach((outcome, i) => {
      if (i !== 2) expect(numbers(outcome)).toEqual(numbers(whole.outcomes[i]!));
    });
    expect([Math.max(...forwards), Math.min(...forwards)]).toEqual([Math.max(...whole.forwards), 1]);
  });
});
