/** One device per tier for the tests of a file, and what they compare by. */
import { expect } from "vitest";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import type { Tensor } from "../../src/kernels/tensor.ts";

/** Half the distance between 1 and the next float32: the relative error of one rounding. */
export const U = 2 ** -24;

export const devices = [
  { tier: "D", gpu: await openGpu({ tier: "D", toggles: "safe" }) },
  { tier: "B", gpu: await openGpu({ tier: "B", toggles: "safe" }) },
] as const;

/** The device for what is the same code in both tiers. */
export const anyGpu: Gpu = devices[0].gpu;

/** Runs kernels in a frame of their own and reads the tensor that they make. */
export async function compute(gpu: Gpu, work: () => Tensor): Promise<Float32Array<ArrayBuffer>> {
  const y = gpu.frame(work);
  const values = await gpu.read(y);
  gpu.release(y);
  return values;
}

/** Numbers with mean 0 and spread about 1, the same each time. */
export function noise(count: number, seed = 1): Float32Array<ArrayBuffer> {
  let state = seed * 0x9e3779b9;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => (uniform() + uniform() + uniform() - 1.5) * 2);
}

/** The number that 16 bits of float16 mean. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Every element of `got` is at most `bound` away from the exact one. */
export function expectWithin(got: Float32Array, exact: ArrayLike<number>, bound: (i: number) => number): void {
  expect(got.length).toBe(exact.length);
  for (let i = 0; i < got.length; i++) {
    if (got[i] === exact[i] || Math.abs(got[i]! - exact[i]!) <= bound(i)) continue;
    expect.fail(`element ${i} of ${got.length}: got ${got[i]}, exact ${exact[i]}, allowed error ${bound(i)}`);
  }
}

/** Every element of `got` is the same number. */
export const expectExactly = (got: Float32Array, exact: ArrayLike<number>): void => expectWithin(got, exact, () => 0);

export const bitsOf = (values: Float32Array<ArrayBuffer>): Uint32Array => new Uint32Array(values.buffer.slice(0));
