import { describe, test } from "vitest";
import { isolateHeads } from "../../src/kernels/isolate-heads.ts";
import { anyGpu, compute, devices, expectExactly, noise } from "./device.ts";

type Shape = readonly [rows: number, tokens: number, heads: number, dim: number];

/** Puts each value of z where it belongs; all else stays zero. */
function reference(z: Float32Array, [rows, tokens, heads, dim]: Shape): Float32Array {
  const y = new Float32Array(rows * heads * tokens * heads * dim);
  for (let row = 0; row < rows; row++)
    for (let token = 0; token < tokens; token++)
      for (let head = 0; head < heads; head++) {
        const from = ((row * tokens + token) * heads + head) * dim;
        y.set(z.subarray(from, from + dim), (((row * heads + head) * tokens + token) * heads + head) * dim);
      }
  return y;
}

async function check(gpu: typeof anyGpu, shape: Shape): Promise<void> {
  const z = noise(shape[0] * shape[1] * shape[2] * shape[3]);
  expectExactly(await compute(gpu, () => isolateHeads(gpu, "y", gpu.upload("z", shape, z))), reference(z, shape));
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for<Shape>([
    [1, 1, 1, 1],
    [3, 7, 5, 3],
    [1, 145, 4, 32],
    [2, 20, 12, 64],
  ])("%i rows, %i tokens, %i heads of %i", (shape) => check(gpu, shape));
});

test("reaches past 65,535 workgroups", () => check(anyGpu, [1, 577, 12, 52]));
