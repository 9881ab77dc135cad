/** The original's own sweeps of BLIP on the miniature, number for number (test/fixtures/miniature/README.md). */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openFile } from "#files";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { type Checkpoint, openSafetensors } from "../../src/models/checkpoint.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { type Kind, resolveKind } from "../../src/patching/kinds.ts";
import type { Mode } from "../../src/patching/record.ts";
import { fixtures } from "../models/fixtures.ts";
import { expectOriginal, originalCases, pairOf } from "./original.ts";
import { sweepSample } from "./sweep-sample.ts";

const upstream = { D4: "upstream", D8: "upstream" } as const;
let gpu: Gpu;
let model: Model;
let stored: Checkpoint;
let kinds: Kind[];

beforeAll(async () => {
  gpu = await openGpu({ toggles: "safe" });
  model = await loadModel(gpu, "blip-mini");
  stored = await openSafetensors(await openFile(`${fixtures}/notice-blip.safetensors`));
  kinds = ["output", "attention_block", "crossattention_block"].map((kind) => resolveKind(model, kind));
});

afterAll(async () => {
  await stored.close();
  model.close();
  gpu.close();
});

const cases = originalCases("blip");

/** Heads of every sweep in `npm run test:long`; in the short form those of the prompts of unequal length. */
const withHeads = (index: number, mode: Mode) => process.env.NOTICE_LONG || (index === 1 && mode === "text");

test.for(cases)(
  "row $index, $mode corruption: p within 2e-5, logit difference 2e-4, effect 1e-3",
  async ({ row, index, mode }) => {
    const pair = await pairOf(model, row, mode, upstream);
    expect(pair.answers).toEqual(row.answer_tokens);
    const heads = withHeads(index, mode) ? "all" : "none";
    const result = await sweepSample(model, pair, kinds, { heads, compat: "upstream", minDenominator: 0 });
    expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
    for (const table of result.tables) await expectOriginal(stored, `${index}.${mode}`, table);
  },
);

test("low_score is the unpatched corrupt run's", async () => {
  for (const { row, index, mode } of cases) {
    const pair = await pairOf(model, row, mode, upstream);
    const { corrupt } = await sweepSample(model, pair, [], { heads: "none", compat: "upstream", minDenominator: 0 });
    const expected = await stored.f32(`${index}.${mode}.output.low_score`);
    expect(Math.abs(Math.exp(corrupt.correct - corrupt.largest) / corrupt.sum - expected[0]!)).toBeLessThan(2e-5);
  }
});
