import { describe, expect, test } from "vitest";
import { attentionScores } from "../../src/kernels/attention-scores.ts";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { compute, devices, expectWithin, noise, U } from "./device.ts";

interface Size {
  readonly q: readonly [rows: number, tokens: number];
  readonly k: readonly [rows: number, sources: number];
  readonly heads: number;
  readonly dim: number;
  readonly causal?: boolean;
}

function run(
  gpu: Gpu,
  q: Float32Array,
  k: Float32Array,
  { q: [qRows, tokens], k: [kRows, sources], heads, dim, causal }: Size,
) {
  return compute(gpu, () => {
    const [queries, keys] = [
      gpu.upload("q", [qRows, tokens, heads, dim], q),
      gpu.upload("k", [kRows, sources, heads, dim], k),
    ];
    return attentionScores(gpu, "y", queries, keys, causal ?? false);
  });
}

/** A sum of `dim` products rounds like 4 √64 steps of their norm at most; the scale is one rounding, its product another. */
async function check(gpu: Gpu, size: Size): Promise<void> {
  const { q, k, heads, dim } = size;
  const [tokens, sources] = [q[1], k[1]];
  const [queries, keys] = [noise(q[0] * tokens * heads * dim, 1), noise(k[0] * sources * heads * dim, 2)];
  const exact: number[] = [];
  const bound: number[] = [];
  for (let row = 0; row < Math.max(q[0], k[0]); row++)
    for (let head = 0; head < heads; head++)
      for (let token = 0; token < tokens; token++)
        for (let source = 0; source < sources; source++) {
          const a = (((row < q[0] ? row : 0) * tokens + token) * heads + head) * dim;
          const b = (((row < k[0] ? row : 0) * sources + source) * heads + head) * dim;
          let sum = 0;
          let squares = 0;
          for (let d = 0; d < dim; d++) {
            sum += queries[a + d]! * keys[b + d]!;
            squares += (queries[a + d]! * keys[b + d]!) ** 2;
          }
          const hidden = size.causal && source > token + sources - tokens;
          exact.push(hidden ? Number.NEGATIVE_INFINITY : sum / Math.sqrt(dim));
          bound.push((U * (32 * Math.sqrt(squares) + 2 * Math.abs(sum))) / Math.sqrt(dim));
        }
  expectWithin(await run(gpu, queries, keys, size), exact, (i) => bound[i]!);
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for<[string, Size]>([
    ["of one query and one key", { q: [1, 1], k: [1, 1], heads: 1, dim: 8 }],
    ["of a query a row with its own keys", { q: [5, 1], k: [5, 12], heads: 3, dim: 24, causal: true }],
    ["of indivisible sizes", { q: [1, 13], k: [1, 19], heads: 3, dim: 24 }],
    ["of many rows with keys that they share", { q: [5, 7], k: [1, 37], heads: 3, dim: 16 }],
    ["of rows with their own keys", { q: [3, 7], k: [3, 37], heads: 3, dim: 16 }],
    ["of shared queries and many rows of keys", { q: [1, 13], k: [4, 7], heads: 2, dim: 16 }],
    ["of heads wider than a block", { q: [1, 13], k: [1, 7], heads: 2, dim: 136 }],
    ["with later tokens hidden", { q: [2, 13], k: [2, 13], heads: 3, dim: 16, causal: true }],
    ["with later tokens hidden after a past", { q: [2, 3], k: [1, 13], heads: 3, dim: 16, causal: true }],
    ["of wide heads and rows of their own", { q: [3, 29], k: [3, 67], heads: 3, dim: 40, causal: true }],
    ["of the miniature vision tower", { q: [1, 145], k: [1, 145], heads: 4, dim: 32 }],
    ["of two heads of the vision tower", { q: [1, 577], k: [1, 577], heads: 2, dim: 64 }],
    ["of the cross-attention", { q: [5, 20], k: [1, 577], heads: 12, dim: 64 }],
  ])("%s", ([, size]) => check(gpu, size));

  test.for([
    [1, 16],
    [5, 16],
    [5, 40],
  ] as const)(
    "a row has the same bits whatever the number of rows (%i rows of keys, %i wide)",
    async ([kRows, dim]) => {
      const shape = { heads: 3, dim };
      const [query, keys] = [7 * 3 * dim, 37 * 3 * dim];
      const [q, k] = [noise(5 * query, 1), noise(kRows * keys, 2)];
      const all = await run(gpu, q, k, { q: [5, 7], k: [kRows, 37], ...shape });
      const one = await run(gpu, q.slice(0, query), k.slice(0, keys), { q: [1, 7], k: [1, 37], ...shape });
      const last = await run(gpu, q.slice(4 * query), k.slice((kRows - 1) * keys), {
        q: [1, 7],
        k: [1, 37],
        ...shape,
      });
      expect(one).toEqual(all.slice(0, 3 * 7 * 37));
      expect(last).toEqual(all.slice(4 * 3 * 7 * 37));
    },
  );

  test.for([
    [1, 8],
    [12, 24],
    [17, 40],
    [64, 136],
    [65, 32],
  ] as const)("a query alone has the bits that it has among others (%i keys, %i wide)", async ([sources, dim]) => {
    const [rows, heads, tokens] = [3, 2, 5];
    const [q, k] = [noise(rows * tokens * heads * dim, 1), noise(rows * sources * heads * dim, 2)];
    const size = { k: [rows, sources], heads, dim, causal: true } as const;
    const all = await run(gpu, q, k, { ...size, q: [rows, tokens] });
    const width = heads * dim;
    const last = Float32Array.from({ length: rows * width }, (_, i) => {
      return q[(Math.floor(i / width) * tokens + tokens - 1) * width + (i % width)]!;
    });
    const alone = await run(gpu, last, k, { ...size, q: [rows, 1] });
    for (let head = 0; head < rows * heads; head++) {
      const end = (head + 1) * tokens * sources;
      expect(alone.slice(head * sources, (head + 1) * sources)).toEqual(all.slice(end - sources, end));
    }
  });

  test.for([1, 3])("heads that share a key head have the bits of keys that are repeated (%i rows)", async (rows) => {
    const [q, k] = [noise(rows * 5 * 6 * 16, 1), noise(rows * 19 * 2 * 16, 2)];
    const scores = (keyHeads: number, keys: Float32Array) =>
      compute(gpu, () => {
        const queries = gpu.upload("q", [rows, 5, 6, 16], q);
        return attentionScores(gpu, "y", queries, gpu.upload("k", [rows, 19, keyHeads, 16], keys), false);
      });
    expect(await scores(2, k)).toEqual(await scores(6, repeated(k, 16, 3)));
  });

  test.for([
    [1, 1],
    [1, 12],
    [3, 4],
    [3, 9],
  ] as const)("%i rows with the first %i keys from the past have the bits of whole keys", async ([rows, past]) => {
    const [q, k] = [noise(3 * 4 * 4 * 16, 1), noise(rows * 13 * 2 * 16, 2)];
    const width = 2 * 16;
    for (let row = 1; row < rows; row++) k.copyWithin(row * 13 * width, 0, past * width);
    const own = k.filter((_, i) => Math.floor(i / width) % 13 >= past);
    const [whole, split] = [false, true].map((remembered) =>
      compute(gpu, () => {
        const queries = gpu.upload("q", [3, 4, 4, 16], q);
        if (!remembered) return attentionScores(gpu, "y", queries, gpu.upload("k", [rows, 13, 2, 16], k), true);
        const keys = gpu.upload("k", [rows, 13 - past, 2, 16], own);
        const memory = gpu.upload("past", [1, 13, 2, 16], k.slice(0, 13 * width));
        return attentionScores(gpu, "y", queries, keys, true, { memory, tokens: past });
      }),
    );
    expect(await split).toEqual(await whole);
  });
});

/** Each run of `dim` numbers `count` times. */
const repeated = (values: Float32Array, dim: number, count: number): Float32Array =>
  Float32Array.from(
    { length: values.length * count },
    (_, i) => values[Math.floor(i / dim / count) * dim + (i % dim)]!,
  );

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  const q = dry.tensor("q", [1, 3, 2, 16]);
  expect(() => attentionScores(dry, "y", q, dry.tensor("k", [1, 5, 3, 16]), false)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: attentionScores: k has shape [1, 5, 3, 16], expected [rows, sources, 2, 16]]`,
  );
  expect(() => {
    attentionScores(dry, "y", dry.tensor("q", [1, 3, 2, 12]), dry.tensor("k", [1, 5, 2, 12]), false);
  }).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: attentionScores: q has shape [1, 3, 2, 12], expected [rows, tokens, heads, a multiple of 8]]`,
  );
  const past = { memory: dry.tensor("past", [1, 4, 2, 16]), tokens: 5 };
  expect(() => {
    attentionScores(dry, "y", q, dry.tensor("k", [1, 3, 2, 16]), true, past);
  }).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: attentionScores: past has shape [1, 4, 2, 16], expected [1, at least 5, 2, 16]]`,
  );
});
