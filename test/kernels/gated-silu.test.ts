import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import { gated, gatedSilu, silu } from "../../src/kernels/gated-silu.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { anyGpu, compute, devices, expectWithin, noise, U } from "./device.ts";

const exact = (x: number): number => x / (1 + Math.exp(-x));

interface Size {
  readonly gateRows: number;
  readonly upRows: number;
  readonly width: number;
}

/** A handful of roundings; a negative gate's exponential is within an ulp. Below -87 the result is 0. */
async function check(gpu: Gpu, gate: Float32Array, up: Float32Array, { gateRows, upRows, width }: Size): Promise<void> {
  const y = await compute(gpu, () => {
    const [g, u] = [gpu.upload("gate", [gateRows, width], gate), gpu.upload("up", [upRows, width], up)];
    return gatedSilu(gpu, "y", g, u);
  });
  const at = (i: number, rows: number) => (i < rows * width ? i : i % width);
  const truth = Float64Array.from(
    { length: Math.max(gateRows, upRows) * width },
    (_, i) => exact(gate[at(i, gateRows)]!) * up[at(i, upRows)]!,
  );
  expectWithin(y, truth, (i) => 9 * U * Math.abs(truth[i]!) + 2 ** -118 * (1 + Math.abs(up[at(i, upRows)]!)));
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([
    [1, 1, 1],
    [1, 1, 3 * 7],
    [1, 1, 79 * 344],
    [1, 3, 5 * 344],
    [3, 1, 5 * 344],
    [1, 1, 70 * 11_008],
  ] as const)("%i rows of gates and %i rows of values, %i wide", ([gateRows, upRows, width]) =>
    check(gpu, noise(gateRows * width, 1), noise(upRows * width, 2), { gateRows, upRows, width }),
  );

  test("on a grid of every 1/256 from -100 to 100", () => {
    const gate = Float32Array.from({ length: 51_201 }, (_, i) => i / 256 - 100);
    return check(gpu, gate, new Float32Array(gate.length).fill(1), { gateRows: 1, upRows: 1, width: gate.length });
  });

  test("one step after the other gives the same bits", async () => {
    const [gate, up] = [noise(9001, 1).map((value) => 8 * value), noise(9001, 2)];
    const both = (work: typeof gatedSilu) =>
      compute(gpu, () => work(gpu, "y", gpu.upload("gate", [1, 9001], gate), gpu.upload("up", [1, 9001], up)));
    expect(await both((_, label, g, u) => gated(gpu, label, silu(gpu, "active", g), u))).toEqual(await both(gatedSilu));
  });
});

test("reaches past 65,535 workgroups", () => {
  const width = 4_200_001;
  return check(anyGpu, noise(width, 1), noise(width, 2), { gateRows: 1, upRows: 1, width });
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  expect(() =>
    gatedSilu(dry, "y", dry.tensor("gate_proj", [1, 3, 8]), dry.tensor("up_proj", [1, 3, 9])),
  ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: gatedSilu: up_proj has shape [1, 3, 9], expected [rows, 3, 8]]`);
});
