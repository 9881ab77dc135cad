import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { layerNorm } from "../../src/kernels/layer-norm.ts";
import { compute, devices, expectWithin, noise, U } from "./device.ts";

const EPS = 1e-12;

interface Case {
  readonly x: Float32Array;
  readonly xRows: number;
  readonly tokens: number;
  readonly width: number;
  readonly residual?: Float32Array;
  readonly residualRows?: number;
}

/**
 * A sum of n numbers costs √n u: so much does the mean miss, measured by the size of the vector (`level`), and so much
 * does the scale, measured by the normalised value. A few roundings come on top.
 */
async function check(gpu: Gpu, { x, xRows, tokens, width, residual, residualRows = 1 }: Case): Promise<void> {
  const weight = noise(width, 3);
  const bias = noise(width, 4);
  const rows = Math.max(xRows, residual ? residualRows : 1);
  const exact = new Float64Array(rows * tokens * width);
  const bound = new Float64Array(exact.length);
  for (let at = 0; at < exact.length; at += width) {
    const from = (owned: number) => (at < owned * tokens * width ? at : at % (tokens * width));
    const s = Float64Array.from(
      { length: width },
      (_, i) => x[from(xRows) + i]! + (residual?.[from(residualRows) + i] ?? 0),
    );
    const mean = s.reduce((a, b) => a + b) / width;
    const scale = 1 / Math.sqrt(s.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width + EPS);
    const level = Math.sqrt(s.reduce((sum, value) => sum + value * value, 0) / width) * scale;
    s.forEach((value, i) => {
      const normal = (value - mean) * scale * weight[i]!;
      exact[at + i] = normal + bias[i]!;
      bound[at + i] =
        U * ((Math.sqrt(width) + 2) * (Math.abs(level * weight[i]!) + Math.abs(normal)) + 2 * Math.abs(bias[i]!));
    });
  }
  const y = await compute(gpu, () => {
    const gain = gpu.upload("weight", [width], weight);
    const beside = residual && gpu.upload("residual", [residualRows, tokens, width], residual);
    return layerNorm(
      gpu,
      "y",
      gpu.upload("x", [xRows, tokens, width], x),
      gain,
      gpu.upload("bias", [width], bias),
      EPS,
      beside,
    );
  });
  expectWithin(y, exact, (i) => bound[i]!);
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([
    [1, 1, 1],
    [1, 3, 7],
    [13, 1, 241],
    [1, 145, 128],
    [1, 577, 768],
    [2, 1, 4096],
  ] as const)("%i rows of %i vectors of %i", ([xRows, tokens, width]) => {
    return check(gpu, { x: noise(xRows * tokens * width), xRows, tokens, width });
  });

  test.for([
    [1, 3],
    [3, 1],
    [3, 3],
  ] as const)("%i rows and %i rows of residual", ([xRows, residualRows]) => {
    const [tokens, width] = [5, 771];
    const residual = noise(residualRows * tokens * width, 2);
    return check(gpu, { x: noise(xRows * tokens * width), xRows, tokens, width, residual, residualRows });
  });

  test("keeps its precision when the mean dwarfs the spread", () => {
    const x = noise(4 * 768).map((value) => 10_000 + value);
    return check(gpu, { x, xRows: 1, tokens: 4, width: 768 });
  });

  test("a vector without spread becomes the bias", async () => {
    const bias = noise(8, 4);
    const y = await compute(gpu, () => {
      const [x, weight] = [gpu.upload("x", [1, 8], new Float32Array(8).fill(3)), gpu.upload("weight", [8], noise(8))];
      return layerNorm(gpu, "y", x, weight, gpu.upload("bias", [8], bias), 1e-5);
    });
    expect(y).toEqual(bias);
  });
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  const [x, weight, bias] = [
    dry.tensor("x", [2, 3, 8]),
    dry.tensor("LayerNorm.weight", [8]),
    dry.tensor("LayerNorm.bias", [8]),
  ];
  expect(() =>
    layerNorm(dry, "y", x, dry.tensor("LayerNorm.weight", [4]), bias, EPS),
  ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: layerNorm: LayerNorm.weight has shape [4], expected [8]]`);
  expect(() =>
    layerNorm(dry, "y", x, weight, dry.tensor("LayerNorm.bias", [9]), EPS),
  ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: layerNorm: LayerNorm.bias has shape [9], expected [8]]`);
  expect(() =>
    layerNorm(dry, "y", x, weight, bias, EPS, dry.tensor("residual", [1, 4, 8])),
  ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: layerNorm: residual has shape [1, 4, 8], expected [rows, 3, 8]]`);
});
