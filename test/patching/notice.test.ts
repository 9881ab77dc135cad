/** The original's own sweeps on the miniature, number for number (test/fixtures/miniature/README.md). */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openFile } from "#files";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { type Checkpoint, openSafetensors } from "../../src/models/checkpoint.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { type Kind, resolveKind } from "../../src/patching/kinds.ts";
import { samplePair } from "../../src/patching/pair.ts";
import type { Mode, Table } from "../../src/patching/record.ts";
import { sweepSample } from "../../src/patching/sample.ts";
import { fixtures, pictures } from "../models/fixtures.ts";

interface Row {
  task: "mit_states";
  clean_prompt: string;
  corrupt_prompt: string;
  correct_answer: string;
  incorrect_answer: string;
  clean_image_path: string;
  corrupt_image_path: string;
  answer_tokens: [number, number];
}

const rows: Row[] = JSON.parse(readFileSync(`${fixtures}/notice-blip.json`, "utf8"));
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

const cases = rows.flatMap((row, index) => (["image", "text"] as const).map((mode) => ({ row, index, mode })));

/** Heads of every sweep in `npm run test:long`; in the short form those of the prompts of unequal length. */
const withHeads = (index: number, mode: Mode) => process.env.NOTICE_LONG || (index === 1 && mode === "text");

test.for(cases)(
  "row $index, $mode corruption: p within 2e-5, logit difference 2e-4, effect 1e-3",
  async ({ row, index, mode }) => {
    const pair = await pairOf(row, mode);
    expect(pair.answers).toEqual(row.answer_tokens);
    const result = await sweepSample(model, pair, kinds, {
      heads: withHeads(index, mode) ? "all" : "none",
      compat: "upstream",
      minDenominator: 0,
    });
    expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
    for (const table of result.tables) {
      for (const [place, head] of (table.heads ?? [null]).entries()) {
        const key = `${index}.${mode}.${table.kind}${head === null ? "" : `.${head}`}`;
        const expected = await stored.f32(`${key}.scores`);
        expect(stored.tensors.get(`${key}.scores`)!.shape, key).toEqual([table.tokens, table.layers, 4]);
        expectClose(key, columns(table, place), expected);
      }
    }
  },
);

/** The four columns of NOTICE in the original's order [tokens, layers, 4], for one head or the whole site. */
function columns({ scores, tokens, layers, heads }: Table, place: number): number[] {
  const width = heads?.length ?? 1;
  return Array.from({ length: tokens * layers }, (_, i) => {
    const at = i * width + place;
    return [scores.p_patched[at], scores.p_diff[at], scores.logit_diff[at], scores.effect[at]].map(Number);
  }).flat();
}

/** Relative to the effect of a full restoration, 1, where the effect itself is smaller. */
function expectClose(key: string, got: number[], expected: Float32Array): void {
  expected.forEach((value, i) => {
    const bound = [2e-5, 2e-5, 2e-4, 1e-3 * Math.max(1, Math.abs(value))][i % 4]!;
    const error = Math.abs(got[i]! - value);
    if (!(error <= bound)) expect.fail(`${key}, element ${i}: got ${got[i]}, expected ${value} within ${bound}`);
  });
}

test("low_score is the unpatched corrupt run's", async () => {
  for (const { row, index, mode } of cases) {
    const result = await sweepSample(model, await pairOf(row, mode), [], {
      heads: "none",
      compat: "upstream",
      minDenominator: 0,
    });
    const expected = await stored.f32(`${index}.${mode}.output.low_score`);
    const p = Math.exp(result.corrupt.correct - result.corrupt.largest) / result.corrupt.sum;
    expect(Math.abs(p - expected[0]!)).toBeLessThan(2e-5);
  }
});

const pairOf = (row: Row, mode: Mode) =>
  samplePair(
    model,
    {
      task: row.task,
      cleanImage: `${pictures}/${row.clean_image_path}`,
      corruptImage: `${pictures}/${row.corrupt_image_path}`,
      cleanPrompt: row.clean_prompt,
      corruptPrompt: row.corrupt_prompt,
      correctAnswer: row.correct_answer,
      incorrectAnswer: row.incorrect_answer,
      roles: {},
    },
    { mode, defects: { D4: "upstream", D8: "upstream" }, direction: "denoising" },
  );
