import { afterAll, beforeAll, expect, test } from "vitest";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { applyPlan } from "../../src/patching/apply-plan.ts";
import { copySpans } from "../../src/patching/cell.ts";
import { readPlan } from "../../src/patching/plan.ts";
import { sweepPair } from "../../src/patching/sweep.ts";
import { originalCases, sampleOf } from "./original.ts";

let gpu: Gpu;
let model: Model;
beforeAll(async () => {
  gpu = await openGpu({ toggles: "safe" });
  model = await loadModel(gpu, "blip-mini");
});
afterAll(() => {
  model.close();
  gpu.close();
});

const { row } = originalCases("blip").find(({ index }) => index === 1)!;
const { cleanImage: image, cleanPrompt, corruptPrompt, correctAnswer, incorrectAnswer } = sampleOf(row);
const site = "text_encoder.encoder.layer.2.output";
const planOf = (token: unknown, corrupt = corruptPrompt) =>
  readPlan({
    clean: { image, text: cleanPrompt },
    corrupt: { image, text: corrupt },
    answers: [correctAnswer, incorrectAnswer],
    cells: [{ site, token }],
  });

test("a token is copied from its counterpart where the prompts have different numbers of tokens", async () => {
  const clean = await model.input({ image, text: cleanPrompt });
  const corrupt = await model.input({ image, text: corruptPrompt });
  expect(clean.ids.length).not.toBe(corrupt.ids.length);
  const [toToken, fromToken] = [corrupt.ids.length - 2, clean.ids.length - 2]; // the question mark
  const shapes = [corrupt, clean].map(({ ids }) => model.shapes(ids.length).get(site)!.slice(1));
  const place = { to: shapes[0]!, from: shapes[1]!, toToken, fromToken, head: null };
  const spans = copySpans({ site, axes: "token hidden", ...place });
  const answers = [correctAnswer, incorrectAnswer].map((answer) => model.pieces(answer)[0]!) as [number, number];
  const pair = { base: corrupt, other: clean, answers, direction: "denoising" } as const;
  const expected = await sweepPair(model, pair, [[{ site, source: "other", kind: "copy", factor: 0, spans }]]);
  const planned = await applyPlan(model, planOf("word:?"));
  expect(planned.planned[0]!.cell[0]!.token).toBe(toToken);
  expect(planned.cells).toEqual(expected.cells);
});

test("prompts of different numbers of words, and tokens without a counterpart, are refused", async () => {
  await expect(applyPlan(model, planOf(3, `Well: ${corruptPrompt}`))).rejects.toThrow(/expected equal numbers/);
  const longer = (await model.input({ image, text: corruptPrompt })).ids.length;
  const each = Array.from({ length: longer }, (_, token) => applyPlan(model, planOf(token)).then(() => "", String));
  const refused = (await Promise.all(each)).filter((reason) => reason !== "");
  for (const reason of refused) expect(reason).toMatch(/has no counterpart in the other prompt/);
});
