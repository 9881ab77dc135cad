import { describe, expect, test } from "vitest";
import { gelu } from "../../src/kernels/gelu.ts";
import { anyGpu, compute, devices, expectWithin, noise, U } from "./device.ts";

/** erfc(x) for x >= 0: by the series of erf below 2.5, by a continued fraction beyond. */
function erfc(x: number): number {
  if (x < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; Math.abs(term) > 1e-18 * total; n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let n = 120; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

const exact = (x: number): number => {
  const tail = (Math.abs(x) / 2) * erfc(Math.abs(x) / Math.SQRT2);
  return x < 0 ? -tail : x - tail;
};

/**
 * The error is at most 4 u |x|, as if 1 + erf had two units of the last place: 2 ulp where x is positive. A negative x
 * loses digits in 1 + erf, as it does in PyTorch.
 */
async function check(gpu: typeof anyGpu, x: Float32Array): Promise<void> {
  const y = await compute(gpu, () => gelu(gpu, "y", gpu.upload("x", [x.length], x)));
  expectWithin(y, Float64Array.from(x, exact), (i) => 4 * U * Math.abs(x[i]!) + 2 ** -126);
}

test("the reference knows erfc", () => {
  for (const [x, value] of [
    [0, 1],
    [0.5, 0.4795001221869535],
    [1, 0.15729920705028513],
    [2, 0.004677734981047266],
    [3, 2.209049699858544e-5],
    [5, 1.5374597944280347e-12],
  ] as const) {
    expect(Math.abs(erfc(x) / value - 1)).toBeLessThan(1e-12);
  }
});

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([1, 3 * 7, 145 * 128, 577 * 768])("%i elements", (count) => check(gpu, noise(count)));

  test("on a grid of every 1/1024 from -12 to 12", () =>
    check(
      gpu,
      Float32Array.from({ length: 24_577 }, (_, i) => i / 1024 - 12),
    ));

  test("for tiny and huge numbers of either sign", () => {
    const sizes = Array.from({ length: 250 }, (_, i) => 2 ** (i - 125) * (1 + (i % 8) / 8));
    return check(gpu, Float32Array.from(sizes.flatMap((x) => [x, -x])));
  });
});

test("reaches past 65,535 workgroups", () => check(anyGpu, noise(4_200_001)));
