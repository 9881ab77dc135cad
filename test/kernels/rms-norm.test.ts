import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { rmsNorm } from "../../src/kernels/rms-norm.ts";
import { anyGpu, compute, devices, expectWithin, noise, U } from "./device.ts";

const EPS = 1e-5;

/** A sum of n squares costs √n u at most, the root halves it; a few roundings come on top. */
async function check(gpu: Gpu, x: Float32Array, width: number): Promise<void> {
  const weight = noise(width, 3);
  const exact = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    const squares = x.subarray(at, at + width).reduce((sum, value) => sum + value * value, 0);
    for (let i = 0; i < width; i++) exact[at + i] = (x[at + i]! / Math.sqrt(squares / width + EPS)) * weight[i]!;
  }
  const y = await compute(gpu, () => {
    const vectors = gpu.upload("x", [x.length / width, width], x);
    return rmsNorm(gpu, "y", vectors, gpu.upload("weight", [width], weight), EPS);
  });
  expectWithin(y, exact, (i) => U * (Math.sqrt(width) / 2 + 6) * Math.abs(exact[i]!));
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([
    [1, 1],
    [3, 7],
    [13, 241],
    [79, 128],
    [595, 4096],
  ] as const)("%i vectors of %i", ([vectors, width]) => check(gpu, noise(vectors * width), width));

  test("of tiny vectors, where epsilon counts, and of large ones", async () => {
    await check(
      gpu,
      noise(4 * 768).map((value) => value * 1e-3),
      768,
    );
    await check(
      gpu,
      noise(4 * 768).map((value) => value * 1e4),
      768,
    );
  });

  test("a vector of zeros stays zero", async () => {
    const y = await compute(gpu, () =>
      rmsNorm(gpu, "y", gpu.upload("x", [1, 8], new Float32Array(8)), gpu.upload("weight", [8], noise(8)), EPS),
    );
    expect(y.every((value) => value === 0)).toBe(true);
  });
});

test("reaches past 65,535 workgroups", () => check(anyGpu, noise(70_000 * 2), 2));

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  expect(() =>
    rmsNorm(dry, "y", dry.tensor("x", [2, 3, 8]), dry.tensor("norm.weight", [4]), EPS),
  ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: rmsNorm: norm.weight has shape [4], expected [8]]`);
});
