import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import { stacked, withRows } from "../../src/kernels/rows.ts";
import { anyGpu, bitsOf, compute, devices, expectExactly, noise } from "./device.ts";

const reference = (x: Float32Array, width: number, count: number): Float32Array =>
  Float32Array.from({ length: count * width }, (_, i) => x[i < x.length ? i : i % width]!);

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([
    [1, 1, 1],
    [1, 7, 13],
    [3, 7, 13],
    [3, 7, 2],
    [1, 145 * 128, 4],
    [2, 577 * 768, 3],
  ] as const)("%i rows of %i become %i", async ([own, width, count]) => {
    const x = noise(own * width);
    const y = await compute(gpu, () => withRows(gpu, "y", gpu.upload("x", [own, width], x), count));
    expectExactly(y, reference(x.subarray(0, count * width), width, count));
  });

  test("copies bits, not numbers", async () => {
    const bits = new Uint32Array([0x7fc00001, 0xffffffff, 0x80000000, 0x00000001, 0x7f800000]);
    const y = await compute(gpu, () => withRows(gpu, "y", gpu.upload("x", [1, 5], bits), 2));
    expect(bitsOf(y)).toEqual(new Uint32Array([...bits, ...bits]));
  });
});

test("tensors become rows of one, some more than once", async () => {
  const values = [noise(3 * 7, 1), noise(3 * 7, 2), noise(3 * 7, 3)];
  const which = [2, 0, 2, 1];
  const y = await compute(anyGpu, () => {
    const tensors = values.map((own, i) => anyGpu.upload(`x ${i}`, [1, 3, 7], own));
    const made = stacked(anyGpu, tensors, which);
    expect(made.shape).toEqual([4, 3, 7]);
    return made;
  });
  expectExactly(y, Float32Array.from(which.flatMap((i) => [...values[i]!])));
  const dry = openDry();
  const uneven = [dry.tensor("a", [1, 3, 7]), dry.tensor("b", [1, 4, 7])];
  expect(() => stacked(dry, uneven, [0, 1])).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: stacked: b has shape [1, 4, 7], expected [1, 3, 7]]`,
  );
});

test("reaches past 65,535 workgroups", async () => {
  const x = noise(1001);
  const y = await compute(anyGpu, () => withRows(anyGpu, "y", anyGpu.upload("x", [1, 1001], x), 4200));
  expectExactly(y, reference(x, 1001, 4200));
});
