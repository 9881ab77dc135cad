/** Tables of the original's sweeps (test/fixtures/miniature/README.md) beside ours. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Task } from "../../src/data/sample.ts";
import type { Checkpoint } from "../../src/models/checkpoint.ts";
import type { Model } from "../../src/models/model.ts";
import type { Defects } from "../../src/patching/defects.ts";
import { type SamplePair, samplePair } from "../../src/patching/pair.ts";
import type { Mode, Table } from "../../src/patching/record.ts";
import { fixtures, pictures } from "../models/fixtures.ts";

export interface OriginalRow {
  readonly task: Task;
  readonly noun?: string;
  readonly pos_triplet?: string;
  readonly clean_prompt: string;
  readonly corrupt_prompt: string;
  readonly correct_answer: string;
  readonly incorrect_answer: string;
  readonly generated_text?: string;
  readonly clean_image_path: string;
  readonly corrupt_image_path: string;
  readonly answer_tokens: readonly [number, number];
  readonly correct_idx?: number;
  readonly dropped?: readonly string[];
}

export function originalCases(model: "blip" | "llava") {
  const rows = JSON.parse(readFileSync(`${fixtures}/notice-${model}.json`, "utf8")) as OriginalRow[];
  return rows.flatMap((row, index) => (["image", "text"] as const).map((mode) => ({ row, index, mode })));
}

export const sampleOf = (row: OriginalRow) => {
  const [subject, verb, object] = row.pos_triplet?.split(",") ?? [];
  const roles = { noun: row.noun, subject, verb, object };
  return {
    task: row.task,
    cleanImage: `${pictures}/${row.clean_image_path}`,
    corruptImage: `${pictures}/${row.corrupt_image_path}`,
    cleanPrompt: row.clean_prompt,
    corruptPrompt: row.corrupt_prompt,
    correctAnswer: row.correct_answer,
    incorrectAnswer: row.incorrect_answer,
    ...(row.generated_text && { generatedText: row.generated_text }),
    roles: Object.fromEntries(Object.entries(roles).filter((entry): entry is [string, string] => Boolean(entry[1]))),
  };
};

export const pairOf = (model: Model, row: OriginalRow, mode: Mode, defects: Defects): Promise<SamplePair> =>
  samplePair(model, sampleOf(row), { mode, defects, direction: "denoising" });

/** Every head of a table, or the whole sites, within p 2e-5, logit difference 2e-4, effect 1e-3. */
export async function expectOriginal(stored: Checkpoint, prefix: string, table: Table): Promise<void> {
  for (const [place, head] of (table.heads ?? [null]).entries()) {
    const key = `${prefix}.${table.kind}${head === null ? "" : `.${head}`}.scores`;
    expect(stored.tensors.get(key)?.shape, key).toEqual([table.tokens, table.layers, 4]);
    expectClose(key, columns(table, place), await stored.f32(key));
  }
}

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
