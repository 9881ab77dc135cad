import { describe, expect, test } from "vitest";
import { attentionMix } from "../../src/kernels/attention-mix.ts";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { compute, devices, expectWithin, noise, U } from "./device.ts";

interface Size {
  readonly probs: readonly [rows: number, tokens: number];
  readonly v: readonly [rows: number, sources: number];
  readonly heads: number;
  readonly dim: number;
}

function run(
  gpu: Gpu,
  probs: Float32Array,
  v: Float32Array,
  { probs: [pRows, tokens], v: [vRows, sources], heads, dim }: Size,
) {
  return compute(gpu, () => {
    const weights = gpu.upload("probs", [pRows, heads, tokens, sources], probs);
    return attentionMix(gpu, "z", weights, gpu.upload("v", [vRows, sources, heads, dim], v));
  });
}

/** A sum over the sources in blocks of 64 rounds like 4 √(64 + sources/64) steps of the norm of its products at most. */
async function check(gpu: Gpu, size: Size): Promise<void> {
  const { probs: p, v, heads, dim } = size;
  const [tokens, sources] = [p[1], v[1]];
  const probs = noise(p[0] * heads * tokens * sources, 1).map((value) => Math.abs(value) / sources);
  const values = noise(v[0] * sources * heads * dim, 2);
  const exact: number[] = [];
  const bound: number[] = [];
  for (let row = 0; row < Math.max(p[0], v[0]); row++)
    for (let token = 0; token < tokens; token++)
      for (let head = 0; head < heads; head++)
        for (let d = 0; d < dim; d++) {
          const a = (((row < p[0] ? row : 0) * heads + head) * tokens + token) * sources;
          const b = ((row < v[0] ? row : 0) * sources * heads + head) * dim + d;
          let sum = 0;
          let squares = 0;
          for (let s = 0; s < sources; s++) {
            const term = probs[a + s]! * values[b + s * heads * dim]!;
            sum += term;
            squares += term * term;
          }
          exact.push(sum);
          bound.push(U * (4 * Math.sqrt(64 + sources / 64) * Math.sqrt(squares) + Math.abs(sum)));
        }
  expectWithin(await run(gpu, probs, values, size), exact, (i) => bound[i]!);
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for<[string, Size]>([
    ["one query and one source", { probs: [1, 1], v: [1, 1], heads: 1, dim: 8 }],
    ["a query a row with its own values", { probs: [5, 1], v: [5, 19], heads: 3, dim: 24 }],
    ["indivisible sizes", { probs: [1, 13], v: [1, 19], heads: 3, dim: 24 }],
    ["many rows with values that they share", { probs: [5, 7], v: [1, 37], heads: 3, dim: 16 }],
    ["rows with their own values", { probs: [3, 7], v: [3, 37], heads: 3, dim: 16 }],
    ["shared queries and many rows of values", { probs: [1, 13], v: [4, 7], heads: 2, dim: 16 }],
    ["heads wider than a tile", { probs: [1, 13], v: [1, 130], heads: 2, dim: 136 }],
    ["wide heads and rows of their own", { probs: [3, 29], v: [3, 67], heads: 3, dim: 40 }],
    ["the miniature vision tower", { probs: [1, 145], v: [1, 145], heads: 4, dim: 32 }],
    ["two heads of the vision tower", { probs: [1, 577], v: [1, 577], heads: 2, dim: 64 }],
    ["the cross-attention", { probs: [5, 20], v: [1, 577], heads: 12, dim: 64 }],
  ])("%s", ([, size]) => check(gpu, size));

  test.for([
    [1, 16],
    [5, 16],
    [5, 40],
  ] as const)(
    "a row has the same bits whatever the number of rows (%i rows of values, %i wide)",
    async ([vRows, dim]) => {
      const shape = { heads: 3, dim };
      const [mix, values] = [7 * 3 * dim, 137 * 3 * dim];
      const [probs, v] = [noise(5 * 3 * 7 * 137, 1), noise(vRows * values, 2)];
      const all = await run(gpu, probs, v, { probs: [5, 7], v: [vRows, 137], ...shape });
      const one = await run(gpu, probs.slice(0, 3 * 7 * 137), v.slice(0, values), {
        probs: [1, 7],
        v: [1, 137],
        ...shape,
      });
      const last = { probs: probs.slice(4 * 3 * 7 * 137), v: v.slice((vRows - 1) * values) };
      expect(one).toEqual(all.slice(0, mix));
      expect(await run(gpu, last.probs, last.v, { probs: [1, 7], v: [1, 137], ...shape })).toEqual(all.slice(4 * mix));
    },
  );

  test.for([
    [1, 8],
    [12, 24],
    [17, 40],
    [64, 136],
    [65, 32],
  ] as const)("a query alone has the bits that it has among others (%i sources, %i wide)", async ([sources, dim]) => {
    const [rows, heads, tokens] = [3, 2, 5];
    const [probs, v] = [noise(rows * heads * tokens * sources, 1), noise(rows * sources * heads * dim, 2)];
    const size = { v: [rows, sources], heads, dim } as const;
    const all = await run(gpu, probs, v, { ...size, probs: [rows, tokens] });
    const last = Float32Array.from({ length: rows * heads * sources }, (_, i) => {
      return probs[(Math.floor(i / sources) * tokens + tokens - 1) * sources + (i % sources)]!;
    });
    const alone = await run(gpu, last, v, { ...size, probs: [rows, 1] });
    for (let row = 0; row < rows; row++) {
      const end = (row + 1) * tokens * heads * dim;
      expect(alone.slice(row * heads * dim, (row + 1) * heads * dim)).toEqual(all.slice(end - heads * dim, end));
    }
  });

  test.for([1, 3])(
    "heads that share a value head have the bits of values that are repeated (%i rows)",
    async (rows) => {
      const [probs, v] = [noise(rows * 6 * 5 * 19, 1), noise(rows * 19 * 2 * 16, 2)];
      const mixed = (valueHeads: number, values: Float32Array) =>
        compute(gpu, () => {
          const weights = gpu.upload("probs", [rows, 6, 5, 19], probs);
          return attentionMix(gpu, "z", weights, gpu.upload("v", [rows, 19, valueHeads, 16], values));
        });
      const repeated = Float32Array.from({ length: 3 * v.length }, (_, i) => v[Math.floor(i / 48) * 16 + (i % 16)]!);
      expect(await mixed(2, v)).toEqual(await mixed(6, repeated));
    },
  );

  test.for([
    [1, 1],
    [1, 36],
    [3, 17],
    [3, 32],
  ] as const)("%i rows with the first %i values from the past have the bits of whole values", async ([rows, past]) => {
    const [probs, v] = [noise(3 * 4 * 4 * 37, 1), noise(rows * 37 * 2 * 16, 2)];
    const width = 2 * 16;
    for (let row = 1; row < rows; row++) v.copyWithin(row * 37 * width, 0, past * width);
    const own = v.filter((_, i) => Math.floor(i / width) % 37 >= past);
    const [whole, split] = [false, true].map((remembered) =>
      compute(gpu, () => {
        const weights = gpu.upload("probs", [3, 4, 4, 37], probs);
        if (!remembered) return attentionMix(gpu, "z", weights, gpu.upload("v", [rows, 37, 2, 16], v));
        const values = gpu.upload("v", [rows, 37 - past, 2, 16], own);
        const memory = gpu.upload("past", [1, 37, 2, 16], v.slice(0, 37 * width));
        return attentionMix(gpu, "z", weights, values, { memory, tokens: past });
      }),
    );
    expect(await split).toEqual(await whole);
  });
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  const probs = dry.tensor("probs", [1, 2, 3, 5]);
  expect(() => attentionMix(dry, "z", probs, dry.tensor("v", [1, 4, 2, 16]))).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: attentionMix: v has shape [1, 4, 2, 16], expected [rows, 5, 2, dim]]`,
  );
  expect(() => attentionMix(dry, "z", probs, dry.tensor("v", [1, 5, 3, 16]))).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: attentionMix: v has shape [1, 5, 3, 16], expected [rows, 5, 2, dim]]`,
  );
});
