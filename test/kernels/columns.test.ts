import { describe, expect, test } from "vitest";
import { columns, widened } from "../../src/kernels/columns.ts";
import { openDry } from "../../src/kernels/dry.ts";
import { anyGpu, compute, devices, expectExactly, noise } from "./device.ts";

const reference = (x: Float32Array, vectors: number, xWidth: number, first: number, width: number): Float32Array =>
  Float32Array.from({ length: vectors * width }, (_, i) => x[Math.floor(i / width) * xWidth + first + (i % width)]!);

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([
    [1, 1, 0, 1],
    [3, 7, 2, 5],
    [145, 3 * 128, 128, 128],
    [577, 3 * 768, 2 * 768, 768],
  ] as const)("%i vectors of %i, from %i on, %i columns", async ([vectors, xWidth, first, width]) => {
    const x = noise(vectors * xWidth);
    const y = await compute(gpu, () => columns(gpu, "y", gpu.upload("x", [1, vectors, xWidth], x), first, width));
    expectExactly(y, reference(x, vectors, xWidth, first, width));
  });

  test("fills rows up with zeros", async () => {
    const x = noise(3 * 7);
    const y = await compute(gpu, () => widened(gpu, gpu.upload("x", [1, 3, 7], x), 8));
    expectExactly(
      y,
      [0, 1, 2].flatMap((v) => [...x.slice(7 * v, 7 * v + 7), 0]),
    );
  });
});

test("reaches past 65,535 workgroups", async () => {
  const x = noise(4200 * 1002);
  const y = await compute(anyGpu, () => columns(anyGpu, "y", anyGpu.upload("x", [4200, 1002], x), 1, 1000));
  expectExactly(y, reference(x, 4200, 1002, 1, 1000));
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  expect(() => columns(dry, "y", dry.tensor("qkv", [1, 3, 24]), 16, 9)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: columns: qkv has shape [1, 3, 24], expected […, at least 25]]`,
  );
});
