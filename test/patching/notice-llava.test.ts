/** The original's own sweeps of LLaVA on the miniature, and the corrected ones (test/fixtures/miniature/README.md). */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openFile } from "#files";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { type Checkpoint, openSafetensors } from "../../src/models/checkpoint.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { type Defects, originalPlaces } from "../../src/patching/defects.ts";
import { type Kind, resolveKind } from "../../src/patching/kinds.ts";
import { fixtures } from "../models/fixtures.ts";
import { expectOriginal, originalCases, pairOf, sampleOf } from "./original.ts";
import { sweepSample } from "./sweep-sample.ts";

const upstream: Defects = { D6: "upstream", D7: "upstream", D8: "upstream", D24: "upstream" };
/** The corrected tables copy by index, and look at the original's ids. */
const corrected: Defects = { D8: "upstream", D24: "upstream" };
let gpu: Gpu;
let model: Model;
let stored: Checkpoint;
let kinds: Kind[];

beforeAll(async () => {
  gpu = await openGpu({ toggles: "safe" });
  model = await loadModel(gpu, "llava-mini");
  stored = await openSafetensors(await openFile(`${fixtures}/notice-llava.safetensors`));
  kinds = ["mlp_block", "attention_block"].map((kind) => resolveKind(model, kind));
});

afterAll(async () => {
  await stored.close();
  model.close();
  gpu.close();
});

const cases = originalCases("llava").flatMap((one) => [
  { ...one, compat: "upstream" as const, defects: upstream },
  { ...one, compat: "corrected" as const, defects: corrected },
]);

test("D6: the original patches nothing but mlp_block and attention_block", async () => {
  const { row, mode } = cases[0]!;
  const pair = await pairOf(model, row, mode, upstream);
  const places = originalPlaces(model, pair, sampleOf(row), upstream);
  for (const kind of ["output", "embed", "language_model.model.layers.*.mlp.hidden"]) {
    const swept = sweepSample(model, pair, [resolveKind(model, kind)], {
      heads: "none",
      ...places,
      compat: "upstream",
      minDenominator: 0,
    });
    await expect(swept, kind).rejects.toThrow(
      /the original patches only mlp_block and attention_block of LLaVA \(D6\)/,
    );
  }
});

test.for(cases)(
  "row $index, $mode corruption, $compat: p within 2e-5, logit difference 2e-4, effect 1e-3",
  async ({ row, index, mode, compat, defects }) => {
    const pair = await pairOf(model, row, mode, defects);
    expect(pair.answers).toEqual(row.answer_tokens);
    const places = originalPlaces(model, pair, sampleOf(row), defects);
    if (places.headToken) expect(places.headToken.token).toBe(row.correct_idx);
    else expect(pair.answerToken).toBe(row.correct_idx);
    const result = await sweepSample(model, pair, kinds, {
      heads: "all",
      headPositions: ["answer"],
      ...places,
      compat: "upstream",
      minDenominator: 0,
    });
    expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
    const dropped = result.tables.filter((table) => table.dropped !== undefined);
    const lost = (row.dropped ?? []).filter((key) => compat === "upstream" && key.includes(`.${mode}.`));
    expect(dropped.flatMap(({ kind, heads }) => heads!.map((head) => `${index}.${mode}.${kind}.${head}`))).toEqual(
      lost,
    );
    for (const table of result.tables) {
      if (table.dropped === undefined) await expectOriginal(stored, `${compat}.${index}.${mode}`, table);
    }
  },
);
