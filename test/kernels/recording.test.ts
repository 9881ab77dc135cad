import { describe, expect, test, vi } from "vitest";
import { add } from "../../src/kernels/add.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { matmulParts } from "../../src/kernels/matmul.ts";
import { emptyMatrix, writeRows } from "../../src/kernels/matrix.ts";
import { softmax } from "../../src/kernels/softmax.ts";
import type { Tensor } from "../../src/kernels/tensor.ts";
import { bitsOf, devices, noise } from "./device.ts";

const upload = (gpu: Gpu, seed: number, rows = 2) => gpu.upload("x", [rows, 64], noise(rows * 64, seed));

async function taken(gpu: Gpu, y: Tensor): Promise<Float32Array> {
  const values = await gpu.read(y);
  gpu.release(y);
  return values;
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  const weight = emptyMatrix(gpu, "weight", 3 * 64, 64, "float32");
  writeRows(gpu, weight, 0, bitsOf(noise(3 * 64 * 64, 9)));

  function work(x: Tensor, other: Tensor): Tensor {
    const [a, b, c] = gpu.frame(() => matmulParts(gpu, ["a", "b", "c"], x, weight)) as [Tensor, Tensor, Tensor];
    return add(gpu, "y", softmax(gpu, "p", add(gpu, "ab", a, b)), add(gpu, "co", c, other));
  }

  test("the second time dispatches are made again with other arguments: same bits, same counts, no new memory", async () => {
    const recorder = gpu.recorder();
    const called = vi.fn(work);
    const counts = (make: () => Tensor) => {
      const before = [gpu.flop, gpu.dispatches] as const;
      const y = make();
      return { y, counted: [gpu.flop - before[0], gpu.dispatches - before[1]] };
    };
    let bytes = 0;
    for (let round = 0; round < 4; round++) {
      const [x, other] = [upload(gpu, round), upload(gpu, 100 + round)];
      const repeated = counts(() => recorder.run("work", [x, other], () => called(x, other)));
      const values = await taken(gpu, repeated.y);
      const plain = counts(() => gpu.frame(() => work(x, other)));
      expect(repeated.counted).toEqual(plain.counted);
      expect(values).toEqual(await taken(gpu, plain.y));
      gpu.release(x, other);
      if (round > 1) expect(gpu.bytes).toBe(bytes);
      bytes = gpu.bytes;
    }
    expect(called).toHaveBeenCalledTimes(1);
  });

  test("other shapes, and results that somebody still holds, are made by the work itself", async () => {
    const recorder = gpu.recorder();
    const called = vi.fn(work);
    const run = (rows: number) => {
      const [x, other] = [upload(gpu, 1, rows), upload(gpu, 2, rows)];
      const y = recorder.run("work", [x, other], () => called(x, other));
      gpu.release(x, other);
      return y;
    };
    const first = run(2);
    const second = run(2);
    expect(called).toHaveBeenCalledTimes(2);
    expect(second.memory).not.toBe(first.memory);
    const values = await gpu.read(first);
    expect(await gpu.read(second)).toEqual(values);
    gpu.release(first, second);
    gpu.release(run(3));
    expect(called).toHaveBeenCalledTimes(3);
    expect(await taken(gpu, run(2))).toEqual(values);
    expect(called).toHaveBeenCalledTimes(3);
  });

  test.for<[string, (x: Tensor) => void]>([
    ["writes", () => void gpu.upload("written", [64], noise(64))],
    ["keeps", () => gpu.release(gpu.keep(gpu.tensor("kept", [64])))],
    ["makes a texture", () => gpu.destroyTexture(gpu.texture("texture", 4, 4))],
  ])("work that %s is called each time", ([, more]) => {
    const recorder = gpu.recorder();
    const called = vi.fn((x: Tensor) => {
      more(x);
      return add(gpu, "y", x, x);
    });
    for (let round = 0; round < 2; round++) {
      const x = upload(gpu, round);
      gpu.release(
        recorder.run("work", [x], () => called(x)),
        x,
      );
    }
    expect(called).toHaveBeenCalledTimes(2);
  });

  test("one argument twice, or a result that is an argument, is not recorded; work within work is part of it", async () => {
    const recorder = gpu.recorder();
    const [same, passed, inner] = [vi.fn(), vi.fn(), vi.fn()];
    for (let round = 0; round < 2; round++) {
      const x = upload(gpu, round);
      const double = recorder.run("same", [x, x], () => {
        same();
        return add(gpu, "y", x, x);
      });
      recorder.run("passed", [x], () => {
        passed();
        return x;
      });
      const nested = recorder.run("outer", [x], () => {
        const y = recorder.run("inner", [x], () => {
          inner();
          return add(gpu, "y", x, x);
        });
        return add(gpu, "z", y, y);
      });
      const [twice, fourfold] = [await taken(gpu, double), await taken(gpu, nested)];
      expect(fourfold).toEqual(twice.map((value) => 2 * value));
      gpu.release(x);
    }
    expect([same, passed, inner].map(({ mock }) => mock.calls.length)).toEqual([2, 2, 1]);
  });
});
