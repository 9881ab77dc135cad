import { describe, expect, test } from "vitest";
import { add } from "../../src/kernels/add.ts";
import { openDry } from "../../src/kernels/dry.ts";
import { size } from "../../src/kernels/tensor.ts";
import { anyGpu, compute, devices, expectExactly, noise } from "./device.ts";

/** [rows, width] by [rows, width]; a sum of two float32 has one right answer. */
function reference(a: Float32Array, b: Float32Array, rows: number, width: number): Float32Array {
  const at = (x: Float32Array, i: number) => x[x.length > width ? i : i % width]!;
  return Float32Array.from({ length: rows * width }, (_, i) => at(a, i) + at(b, i));
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([
    [1, 1, 1],
    [3, 3, 7],
    [1, 3, 7],
    [3, 1, 7],
    [145, 145, 128],
    [577, 577, 768],
  ] as const)("%i rows + %i rows of %i", async ([aRows, bRows, width]) => {
    const a = noise(aRows * width, 1);
    const b = noise(bRows * width, 2);
    const y = await compute(gpu, () =>
      add(gpu, "y", gpu.upload("a", [aRows, width], a), gpu.upload("b", [bRows, width], b)),
    );
    expectExactly(y, reference(a, b, Math.max(aRows, bRows), width));
  });
});

test("reaches past 65,535 workgroups", async () => {
  const shape = [4200, 1001];
  const a = noise(size(shape));
  const y = await compute(anyGpu, () => {
    return add(anyGpu, "y", anyGpu.upload("a", shape, a), anyGpu.upload("b", [1, 1001], a.subarray(0, 1001)));
  });
  expectExactly(y, reference(a, a.slice(0, 1001), 4200, 1001));
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  expect(() =>
    add(dry, "y", dry.tensor("hidden", [2, 3, 8]), dry.tensor("mask", [1, 3, 7])),
  ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: add: mask has shape [1, 3, 7], expected [rows, 3, 8]]`);
});
