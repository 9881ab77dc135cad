import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import { headChange } from "../../src/kernels/head-change.ts";
import { anyGpu, bitsOf, compute, devices, expectWithin, noise, U } from "./device.ts";

type Size = readonly [nowRows: number, beforeRows: number, heads: number, tokens: number, width: number];

/** The sum of differences, and what rounding each of them and each partial sum may cost: heads + 1 times u. */
async function check(gpu: typeof anyGpu, [nowRows, beforeRows, heads, tokens, width]: Size): Promise<void> {
  const block = tokens * width;
  const now = noise(nowRows * heads * block, 1);
  const before = noise(beforeRows * heads * block, 2);
  const rows = Math.max(nowRows, beforeRows);
  const exact = new Float64Array(rows * block);
  const magnitude = new Float64Array(rows * block);
  for (let i = 0; i < rows * block; i++) {
    const row = Math.floor(i / block);
    for (let head = 0; head < heads; head++) {
      const a = now[((row < nowRows ? row : 0) * heads + head) * block + (i % block)]!;
      const b = before[((row < beforeRows ? row : 0) * heads + head) * block + (i % block)]!;
      exact[i]! += a - b;
      magnitude[i]! += Math.abs(a - b);
    }
  }
  const y = await compute(gpu, () => {
    const after = gpu.upload("now", [nowRows, heads, tokens, width], now);
    return headChange(gpu, "y", after, gpu.upload("before", [beforeRows, heads, tokens, width], before));
  });
  expectWithin(y, exact, (i) => (heads + 1) * U * magnitude[i]!);
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for<Size>([
    [1, 1, 1, 1, 1],
    [3, 1, 5, 3, 7],
    [1, 3, 5, 3, 7],
    [1, 1, 4, 145, 128],
    [2, 2, 12, 20, 768],
  ])("%i rows now, %i before, %i heads, %i tokens of %i", (size) => check(gpu, size));

  test("is plus zero in every bit where nothing changed", async () => {
    const now = noise(4 * 3 * 7);
    const y = await compute(gpu, () => {
      return headChange(gpu, "y", gpu.upload("now", [1, 4, 3, 7], now), gpu.upload("before", [1, 4, 3, 7], now));
    });
    expect(bitsOf(y)).toEqual(new Uint32Array(3 * 7));
  });
});

test("reaches past 65,535 workgroups", () => check(anyGpu, [5, 1, 1, 1100, 768]));

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  expect(() =>
    headChange(dry, "y", dry.tensor("now", [2, 4, 3, 8]), dry.tensor("before", [1, 4, 3, 7])),
  ).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: headChange: before has shape [1, 4, 3, 7], expected [rows, 4, 3, 8]]`,
  );
});
