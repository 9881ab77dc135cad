import { describe, expect, test } from "vitest";
import { attention, type KeyValuePast } from "../../src/kernels/attention.ts";
import { attentionMix } from "../../src/kernels/attention-mix.ts";
import { attentionScores } from "../../src/kernels/attention-scores.ts";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { softmax } from "../../src/kernels/softmax.ts";
import { size, type Tensor } from "../../src/kernels/tensor.ts";
import { bitsOf, compute, devices, noise } from "./device.ts";

interface Size {
  readonly q: readonly [rows: number, tokens: number];
  readonly k: readonly [rows: number, sources: number];
  /** Rows of values, where they are other than those of keys. */
  readonly vRows?: number;
  readonly heads: number;
  readonly keyHeads?: number;
  readonly dim: number;
  readonly causal?: boolean;
  readonly past?: number;
}

type Attend = (gpu: Gpu, q: Tensor, k: Tensor, v: Tensor, causal: boolean, past?: KeyValuePast) => Tensor;

const inOne: Attend = (gpu, q, k, v, causal, past) => attention(gpu, "z", q, k, v, causal, past);

const inThree: Attend = (gpu, q, k, v, causal, past) => {
  const probs = softmax(gpu, "probs", attentionScores(gpu, "scores", q, k, causal, past?.keys));
  return attentionMix(gpu, "z", probs, v, past?.values);
};

function run(gpu: Gpu, attend: Attend, { q, k, vRows = k[0], heads, keyHeads = heads, dim, causal, past }: Size) {
  return compute(gpu, () => {
    const tensor = (label: string, shape: number[], seed: number) => gpu.upload(label, shape, noise(size(shape), seed));
    const query = tensor("q", [...q, heads, dim], 1);
    const keys = tensor("k", [...k, keyHeads, dim], 2);
    const values = tensor("v", [vRows, k[1], keyHeads, dim], 3);
    if (past === undefined) return attend(gpu, query, keys, values, causal ?? false);
    const earlier = (label: string, seed: number) => ({
      memory: tensor(label, [1, past, keyHeads, dim], seed),
      tokens: past,
    });
    return attend(gpu, query, keys, values, causal ?? false, {
      keys: earlier("past keys", 4),
      values: earlier("past values", 5),
    });
  });
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for<[string, Size]>([
    ["one query and one source", { q: [1, 1], k: [1, 1], heads: 1, dim: 8 }],
    ["indivisible sizes", { q: [1, 13], k: [1, 19], heads: 3, dim: 24 }],
    ["many rows with a memory that they share", { q: [5, 7], k: [1, 37], heads: 3, dim: 16 }],
    ["rows with their own memory", { q: [3, 7], k: [3, 37], heads: 3, dim: 16 }],
    ["many rows of values, one of keys", { q: [1, 7], k: [1, 37], vRows: 3, heads: 3, dim: 16 }],
    ["many rows of keys, one of values", { q: [1, 7], k: [3, 37], vRows: 1, heads: 3, dim: 16 }],
    ["later tokens hidden", { q: [2, 13], k: [2, 13], heads: 3, dim: 16, causal: true }],
    ["a past", { q: [3, 5], k: [3, 5], heads: 4, keyHeads: 2, dim: 16, causal: true, past: 11 }],
    ["heads wider than a workgroup", { q: [2, 5], k: [1, 20], heads: 2, dim: 136 }],
    ["four queries at a time", { q: [1, 10], k: [1, 577], heads: 2, dim: 64 }],
    ["two queries at a time", { q: [1, 3], k: [1, 1000], heads: 2, dim: 8 }],
    ["one query at a time", { q: [1, 2], k: [1, 2000], heads: 2, dim: 8 }],
    ["more sources than one kernel holds", { q: [1, 2], k: [1, 3841], heads: 2, dim: 8 }],
    ["heads in several turns", { q: [40, 20], k: [1, 577], heads: 5, dim: 8 }],
  ])("%s: the bits of scores, probabilities and mix one after the other", async ([, size]) => {
    expect(bitsOf(await run(gpu, inOne, size))).toEqual(bitsOf(await run(gpu, inThree, size)));
  });
});

test.each(["B", "D"] as const)("tier %s holds no more than a few MiB of scores", (tier) => {
  const [queries, memory] = [
    [145, 12, 12, 64],
    [1, 577, 12, 64],
  ];
  const bytes = (attend: Attend) => {
    const dry = openDry({ tier });
    const [k, v] = ["k", "v"].map((label) => dry.tensor(label, memory)) as [Tensor, Tensor];
    attend(dry, dry.tensor("q", queries), k, v, false);
    return dry.bytes;
  };
  const scores = 4 * 145 * 12 * 12 * 577;
  expect(bytes(inThree) - bytes(inOne)).toBeGreaterThan(2 * (scores - 6 * 2 ** 20));
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  const tensor = (label: string, ...shape: number[]) => dry.tensor(label, shape);
  const q = tensor("q", 1, 3, 2, 16);
  const k = tensor("k", 1, 5, 2, 16);
  expect(() => attention(dry, "z", q, tensor("k", 1, 5, 2, 8), k, false)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: attention: k has shape [1, 5, 2, 8], expected [rows, sources, 2, 16]]`,
  );
  expect(() => attention(dry, "z", q, k, tensor("v", 1, 4, 2, 16), false)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: attention: v has shape [1, 4, 2, 16], expected [rows, 5, 2, dim]]`,
  );
});
