import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import { patches } from "../../src/kernels/patches.ts";
import { anyGpu, compute, devices, expectExactly, noise } from "./device.ts";

/** Walks the vectors in order: row, patch from left to right and down, channel, line, column. */
function reference(pixels: Float32Array, rows: number, side: number, patch: number): number[] {
  const y: number[] = [];
  for (let row = 0; row < rows; row++)
    for (let top = 0; top < side; top += patch)
      for (let left = 0; left < side; left += patch)
        for (let channel = 0; channel < 3; channel++)
          for (let line = 0; line < patch; line++)
            for (let column = 0; column < patch; column++)
              y.push(pixels[((row * 3 + channel) * side + top + line) * side + left + column]!);
  return y;
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([
    [1, 1, 1],
    [1, 6, 2],
    [2, 21, 7],
    [1, 384, 16],
  ] as const)("%i pictures of side %i in patches of %i", async ([rows, side, patch]) => {
    const pixels = noise(rows * 3 * side * side);
    const y = await compute(gpu, () => patches(gpu, "y", gpu.upload("pixels", [rows, 3, side, side], pixels), patch));
    expectExactly(y, reference(pixels, rows, side, patch));
  });
});

test("reaches past 65,535 workgroups", async () => {
  const pixels = noise(10 * 3 * 384 * 384);
  const y = await compute(anyGpu, () => patches(anyGpu, "y", anyGpu.upload("pixels", [10, 3, 384, 384], pixels), 16));
  expectExactly(y, reference(pixels, 10, 384, 16));
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  expect(() => patches(dry, "y", dry.tensor("pixels", [1, 3, 384, 380]), 16)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: patches: pixels has shape [1, 3, 384, 380], expected [rows, 3, a multiple of 16, the same]]`,
  );
  expect(() => patches(dry, "y", dry.tensor("pixels", [1, 3, 380, 380]), 16)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: patches: pixels has shape [1, 3, 380, 380], expected [rows, 3, a multiple of 16, the same]]`,
  );
});
