/**
 * Tier A. No software adapter has matrix units: the kernel's arithmetic is tested with emulated ones, and its real form is
 * compiled by Dawn's null backend, which has the feature and computes nothing.
 */

import { expect, test } from "vitest";
import { create, globals } from "webgpu";
import { openGpu } from "#gpu";
import { MATRIX_UNITS } from "../../src/kernels/gpu.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { emptyMatrix, type Format, writeRows } from "../../src/kernels/matrix.ts";
import { hasMatrixUnits } from "../../src/kernels/matrix-units.ts";
import { matmulMatrix } from "../../src/kernels/shaders.gen.ts";
import { bitsOf, compute, expectWithin, noise, U } from "./device.ts";

const gpu = await openGpu({ tier: "A", precision: "fast", toggles: "safe" });

/** Numbers that float16 has: eighths up to 8. */
const eighths = (count: number, seed: number) => noise(count, seed).map((value) => Math.round(value * 8) / 8);

/** lavapipe takes a minute to compile each emulated program. */
const slow = gpu.info.name.includes("llvmpipe") && !process.env.NOTICE_LONG;

test.skipIf(slow).for<[Format, number, number, number]>([
  ["float32", 1, 33, 1],
  ["float32", 145, 33, 129],
  ["float16", 70, 96, 64],
])("%s: %i vectors of %i inputs, %i outputs", async ([format, vectors, inputs, outputs]) => {
  const [x, values, bias] = [eighths(vectors * inputs, 1), eighths(outputs * inputs, 2), noise(outputs, 3)];
  const words = format === "float32" ? bitsOf(values) : halves(values);
  const y = await product(x, words, bias, { format, vectors, inputs, outputs });
  expectProduct(y, x, values, bias, { vectors, inputs, outputs });
});

test.skipIf(slow)("a row has the same bits whatever the number of rows", async () => {
  const shape = { inputs: 33, outputs: 70, format: "float32" as const };
  const [x, values, bias] = [noise(100 * 33), noise(70 * 33, 2), noise(70, 3)];
  const all = await product(x, bitsOf(values), bias, { ...shape, vectors: 100 });
  expect(await product(x.slice(99 * 33), bitsOf(values), bias, { ...shape, vectors: 1 })).toEqual(all.slice(99 * 70));
});

test("the form for real units compiles", async () => {
  Object.assign(globalThis, globals);
  const dawn = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  const adapter = (await dawn.requestAdapter())!;
  const features = [MATRIX_UNITS, "shader-f16", "subgroups"] as GPUFeatureName[];
  const device = await adapter.requestDevice({ requiredFeatures: features });
  const module = device.createShaderModule({ code: matmulMatrix.code.units! });
  const constants = { HALF: 1, NF4: 0 };
  await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main", constants } });
  device.destroy();
});

test("units count only in the form that the kernel has", () => {
  const info = { subgroupMinSize: 32, subgroupMaxSize: 32 };
  const config = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };
  const features = new Set([MATRIX_UNITS, "shader-f16", "subgroups"]);
  const has = (given: object, found = features) =>
    hasMatrixUnits({ features: found, info: { ...info, subgroupMatrixConfigs: [config], ...given } } as never);
  expect(has({})).toBe(true);
  expect(has({ subgroupMinSize: 16 })).toBe(false);
  expect(has({ subgroupMatrixConfigs: [{ ...config, resultComponentType: "f16" }] })).toBe(false);
  expect(has({ subgroupMatrixConfigs: [{ ...config, M: 8 }] })).toBe(false);
  expect(has({}, new Set(["shader-f16", "subgroups"]))).toBe(false);
});

test("is not taken unasked", async () => {
  await expect(openGpu({ tier: "A" })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[AdapterError: gpu: tier A multiplies in float16, which is not exact; ask for it by precision fast, or take tier B or D]`,
  );
});

interface Shape {
  readonly vectors: number;
  readonly inputs: number;
  readonly outputs: number;
}

function product(x: Float32Array, words: Uint32Array, bias: Float32Array, shape: Shape & { format: Format }) {
  const { vectors, inputs, outputs, format } = shape;
  const weight = emptyMatrix(gpu, "weight", outputs, inputs, format);
  writeRows(gpu, weight, 0, words);
  return compute(gpu, () =>
    matmul(gpu, "y", gpu.upload("x", [vectors, inputs], x), weight, gpu.upload("bias", [outputs], bias)),
  );
}

/** Sums in float32 of products that float16 holds: rounding grows like the root of their number, or less. */
function expectProduct(
  y: Float32Array,
  x: Float32Array,
  values: ArrayLike<number>,
  bias: Float32Array,
  { vectors, inputs, outputs }: Shape,
): void {
  const [exact, bound] = [new Float64Array(vectors * outputs), new Float64Array(vectors * outputs)];
  for (let i = 0; i < exact.length; i++) {
    let [sum, size] = [bias[i % outputs]!, Math.abs(bias[i % outputs]!)];
    for (let k = 0; k < inputs; k++) {
      const term = x[Math.floor(i / outputs) * inputs + k]! * values[(i % outputs) * inputs + k]!;
      sum += term;
      size += Math.abs(term);
    }
    exact[i] = sum;
    bound[i] = 8 * U * size;
  }
  expectWithin(y, exact, (i) => bound[i]!);
}

/** Two float16 numbers to a word. */
function halves(values: Float32Array): Uint32Array {
  const bits = Uint16Array.from(values, (value) => {
    if (value === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(value)));
    return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(value) / 2 ** exponent - 1) * 1024);
  });
  return new Uint32Array(bits.buffer);
}
