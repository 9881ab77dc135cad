import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { rotary, rotaryTables } from "../../src/kernels/rotary.ts";
import { anyGpu, compute, devices, expectWithin, noise, U } from "./device.ts";

interface Size {
  readonly rows: number;
  /** Rows of cosines and of sines. */
  readonly tables?: readonly [number, number];
  readonly tokens: number;
  readonly heads: number;
  readonly dim: number;
}

/** Two products and a sum: three roundings of their sizes. */
async function check(gpu: Gpu, { rows, tables: [cosRows, sinRows] = [1, 1], tokens, heads, dim }: Size): Promise<void> {
  const x = noise(rows * tokens * heads * dim, 1);
  const [cos, sin] = [noise(cosRows * tokens * dim, 2), noise(sinRows * tokens * dim, 3)];
  const exact: number[] = [];
  const bound: number[] = [];
  for (let row = 0; row < Math.max(rows, cosRows, sinRows); row++)
    for (let token = 0; token < tokens; token++)
      for (let head = 0; head < heads; head++)
        for (let d = 0; d < dim; d++) {
          const at = (((row < rows ? row : 0) * tokens + token) * heads + head) * dim;
          const angle = (count: number) => ((row < count ? row : 0) * tokens + token) * dim + d;
          const turned = d < dim / 2 ? -x[at + d + dim / 2]! : x[at + d - dim / 2]!;
          const [a, b] = [x[at + d]! * cos[angle(cosRows)]!, turned * sin[angle(sinRows)]!];
          exact.push(a + b);
          bound.push(3 * U * (Math.abs(a) + Math.abs(b)));
        }
  const y = await compute(gpu, () =>
    rotary(gpu, "y", gpu.upload("x", [rows, tokens, heads, dim], x), {
      cos: gpu.upload("cos", [cosRows, tokens, dim], cos),
      sin: gpu.upload("sin", [sinRows, tokens, dim], sin),
    }),
  );
  expectWithin(y, exact, (i) => bound[i]!);
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for<[string, Size]>([
    ["one token of one head", { rows: 1, tokens: 1, heads: 1, dim: 2 }],
    ["indivisible sizes", { rows: 3, tokens: 7, heads: 3, dim: 10 }],
    ["the miniature", { rows: 1, tokens: 79, heads: 4, dim: 32 }],
    ["LLaVA's heads", { rows: 1, tokens: 65, heads: 32, dim: 128 }],
    ["rows with their own cosines", { rows: 1, tables: [3, 1], tokens: 5, heads: 2, dim: 8 }],
    ["rows with their own sines", { rows: 2, tables: [1, 3], tokens: 5, heads: 2, dim: 8 }],
  ])("%s", ([, size]) => check(gpu, size));
});

test("reaches past 65,535 workgroups", () => check(anyGpu, { rows: 1, tokens: 1030, heads: 32, dim: 128 }));

describe("the tables", () => {
  test("are those of float32 arithmetic: inverse frequencies, then angles, are rounded", () => {
    const { cos, sin } = rotaryTables(594, 1, 128, 10_000);
    // 10000^(2/128) rounds to 1.154782, its inverse to 0.8659643; 594 times that to 514.38275.
    const angle = Math.fround(594 * 0.8659643530845642);
    expect([cos[1], sin[1]]).toEqual([Math.fround(Math.cos(angle)), Math.fround(Math.sin(angle))]);
    expect([cos[0], sin[0]]).toEqual([Math.fround(Math.cos(594)), Math.fround(Math.sin(594))]);
  });

  test("hold the same angles in both halves, and start anywhere", () => {
    const [all, later] = [rotaryTables(0, 9, 32, 10_000), rotaryTables(4, 5, 32, 10_000)];
    for (const table of ["cos", "sin"] as const) {
      expect(later[table]).toEqual(all[table].slice(4 * 32));
      for (let at = 0; at < 9 * 32; at += 32) {
        expect(all[table].slice(at, at + 16)).toEqual(all[table].slice(at + 16, at + 32));
      }
    }
    expect(all.cos.slice(0, 32)).toEqual(new Float32Array(32).fill(1));
  });
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  const table = (shape: number[]) => dry.tensor("cos", shape);
  const x = dry.tensor("q", [1, 3, 2, 16]);
  expect(() =>
    rotary(dry, "y", x, { cos: table([1, 4, 16]), sin: table([1, 3, 16]) }),
  ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: rotary: cos has shape [1, 4, 16], expected [rows, 3, 16]]`);
  expect(() =>
    rotary(dry, "y", dry.tensor("q", [1, 3, 2, 15]), { cos: table([1, 3, 15]), sin: table([1, 3, 15]) }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: rotary: q has shape [1, 3, 2, 15], expected [rows, tokens, heads, an even number]]`,
  );
});
