import { describe, test } from "vitest";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { quickGelu } from "../../src/kernels/quick-gelu.ts";
import { anyGpu, compute, devices, expectWithin, noise, U } from "./device.ts";

const exact = (x: number): number => x / (1 + Math.exp(-1.702 * x));

/**
 * The exponent is off by two roundings (1.702 and the product), and the exponential of it by as much times its size;
 * a few roundings come on top. Below -87 / 1.702 the result is 0.
 */
async function check(gpu: Gpu, x: Float32Array): Promise<void> {
  const y = await compute(gpu, () => quickGelu(gpu, "y", gpu.upload("x", [x.length], x)));
  const bound = (i: number) => U * (2 * Math.abs(1.702 * x[i]!) + 8) * Math.abs(exact(x[i]!)) + 2 ** -118;
  expectWithin(y, Float64Array.from(x, exact), bound);
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([1, 3 * 7, 65 * 512, 65 * 4096])("%i elements", (count) => check(gpu, noise(count)));

  test("on a grid of every 1/512 from -60 to 60", () =>
    check(
      gpu,
      Float32Array.from({ length: 61_441 }, (_, i) => i / 512 - 60),
    ));

  test("for tiny and huge numbers of either sign", () => {
    const sizes = Array.from({ length: 250 }, (_, i) => 2 ** (i - 125) * (1 + (i % 8) / 8));
    return check(gpu, Float32Array.from(sizes.flatMap((x) => [x, -x])));
  });
});

test("reaches past 65,535 workgroups", () => check(anyGpu, noise(4_200_001)));
