import { describe, expect, test } from "vitest";
import { rowsApart, withRows } from "../../src/kernels/rows.ts";
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

test("rows are tensors of their own, in the same memory", async () => {
  const x = noise(3 * 64);
  for (const count of [1, 3]) {
    const whole = anyGpu.upload("x", [count, 8, 8], x.subarray(0, count * 64));
    const apart = rowsApart(anyGpu, whole);
    expect(apart.map(({ shape }) => shape)).toEqual(new Array(count).fill([1, 8, 8]));
    for (const [i, row] of apart.entries()) expectExactly(await anyGpu.read(row), x.subarray(i * 64, (i + 1) * 64));
    anyGpu.release(...apart);
  }
});

test("reaches past 65,535 workgroups", async () => {
  const x = noise(1001);
  const y = await compute(anyGpu, () => withRows(anyGpu, "y", anyGpu.upload("x", [1, 1001], x), 4200));
  expectExactly(y, reference(x, 1001, 4200));
});
