import { describe, expect, test } from "vitest";
import { softmax } from "../../src/kernels/softmax.ts";
import { compute, devices, expectExactly, expectWithin, noise, U } from "./device.ts";

function reference(x: Float32Array, width: number): { y: Float64Array; depth: Float64Array } {
  const y = new Float64Array(x.length);
  const depth = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    const vector = x.subarray(at, at + width);
    const largest = vector.reduce((a, b) => Math.max(a, b));
    const total = vector.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    vector.forEach((value, i) => {
      y[at + i] = Math.exp(value - largest) / total;
      depth[at + i] = largest - value;
    });
  }
  return { y, depth };
}

/**
 * Relative error: u for each unit below the maximum (the difference is rounded, then exponentiated), √width u for the
 * sum, 8 u for exp and the division. Below e^-87 the result may be 0.
 */
function expectSoftmax(got: Float32Array, x: Float32Array, width: number): void {
  const { y, depth } = reference(x, width);
  expectWithin(got, y, (i) => (depth[i]! > 86 ? 2 ** -124 : (depth[i]! + Math.sqrt(width) + 8) * U * y[i]!));
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  const run = (x: Float32Array, width: number) => {
    return compute(gpu, () => softmax(gpu, "y", gpu.upload("x", [x.length / width, width], x)));
  };

  test.for([
    [1, 1],
    [3, 7],
    [13, 241],
    [145, 145],
    [577, 768],
    [2, 30_522],
  ] as const)("%i vectors of %i", async ([vectors, width]) => {
    const x = noise(vectors * width).map((value) => 4 * value);
    expectSoftmax(await run(x, width), x, width);
  });

  test("its exponential is exact over the whole range", async () => {
    const x = Float32Array.from({ length: 2 * 5000 }, (_, i) => (i % 2 === 0 ? 0 : -(i - 1) / 111));
    expectSoftmax(await run(x, 2), x, 2);
  });

  test("gives 0 for -inf, wherever the others lie", async () => {
    const hidden = Number.NEGATIVE_INFINITY;
    const y = await run(
      new Float32Array([hidden, 3, hidden, 3, 3e38, hidden, hidden, hidden, -3e38, hidden, hidden, -3e38]),
      4,
    );
    expectExactly(y, [0, 0.5, 0, 0.5, 1, 0, 0, 0, 0.5, 0, 0, 0.5]);
  });

  test("does not overflow for huge numbers", async () => {
    const x = new Float32Array([1e30, 1e30, -1e30, 88, 3e38, -3e38, 0, 1e4, 65_504, 65_503, 65_500, -65_504]);
    expectSoftmax(await run(x, 4), x, 4);
  });

  test("a vector has the same bits whatever the number of vectors", async () => {
    const x = noise(13 * 145);
    const all = await run(x, 145);
    for (const vectors of [1, 5, 12])
      expect(await run(x.subarray(0, vectors * 145), 145)).toEqual(all.subarray(0, vectors * 145));
  });
});

test("reaches past 65,535 workgroups", async () => {
  const { gpu } = devices[0];
  const x = noise(3 * 70_000);
  const y = await compute(gpu, () => softmax(gpu, "y", gpu.upload("x", [70_000, 3], x)));
  expectSoftmax(y, x, 3);
});
