import { describe, expect, test } from "vitest";
import { sizeClass } from "../../src/kernels/arena.ts";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { matmul, matmulParts, rowsOf } from "../../src/kernels/matmul.ts";
import {
  emptyMatrix,
  type Format,
  isNf4,
  type Matrix,
  NF4_BLOCK,
  streamRows,
  takesBytes,
  writeRows,
} from "../../src/kernels/matrix.ts";
import { floatToHalf } from "../../src/models/half.ts";
import { nf4Rows } from "../../src/models/nf4.ts";
import { compute, devices, expectExactly, expectWithin, fromHalf, noise, U } from "./device.ts";
import { throughNf4 } from "./nf4.ts";

interface Weight {
  readonly outputs: number;
  readonly inputs: number;
  readonly format: Format;
  readonly words: Uint32Array;
  readonly values: Float64Array;
}

/**
 * Numbers of about 1/8; as float16 they are drawn as bits, as NF4 every block has a scale of its own, of float16
 * every third one is subnormal.
 */
function randomWeight(outputs: number, inputs: number, format: Format): Weight {
  const values = noise(outputs * inputs, 2).map((value) => value / 8);
  const shape = { outputs, inputs, format };
  if (format === "float32")
    return { ...shape, words: new Uint32Array(values.buffer), values: Float64Array.from(values) };
  if (isNf4(format)) {
    const stored = format === "nf4" ? values : values.map(toHalf);
    return {
      ...shape,
      words: nf4Rows("weight", format, inputs, stored),
      values: Float64Array.from(throughNf4(stored)),
    };
  }
  const bits = Uint16Array.from(
    values,
    (value) => (value < 0 ? 0x8000 : 0) | (0x2000 + Math.floor(Math.abs(value) * 12_000)),
  );
  return { ...shape, words: new Uint32Array(bits.buffer), values: Float64Array.from(bits, fromHalf) };
}

const toHalf = (value: number, i: number) =>
  fromHalf(floatToHalf(Math.floor(i / NF4_BLOCK) % 3 === 2 ? value * 2 ** -16 : value));

/** The weight on the device, written in pieces of `piece` rows. */
function place(gpu: Gpu, { outputs, inputs, format, words }: Weight, piece = outputs): Matrix {
  const matrix = emptyMatrix(gpu, "weight", outputs, inputs, format);
  const rowWords = words.length / outputs;
  for (let row = 0; row < outputs; row += piece) {
    writeRows(gpu, matrix, row, words.subarray(row * rowWords, (row + piece) * rowWords));
  }
  return matrix;
}

function free(gpu: Gpu, { label, texture, memory }: Matrix): void {
  if (texture) gpu.destroyTexture(texture);
  else gpu.release({ label, shape: [], memory: memory! });
}

async function product(
  gpu: Gpu,
  x: Float32Array,
  weight: Weight,
  bias?: Float32Array,
  piece?: number,
): Promise<Float32Array> {
  const matrix = place(gpu, weight, piece);
  const y = await compute(gpu, () => {
    const added = bias && gpu.upload("bias", [weight.outputs], bias);
    return matmul(gpu, "y", gpu.upload("x", [1, x.length / weight.inputs, weight.inputs], x), matrix, added);
  });
  free(gpu, matrix);
  return y;
}

/**
 * A sum in blocks of 64 inputs rounds like √(64 + inputs/64) steps of the size that the products have together (their
 * norm); 4 times that covers the largest of many. A sum in one level would miss this bound from about 2000 inputs on.
 */
function expectProduct(
  y: Float32Array,
  x: Float32Array,
  { inputs, outputs, values }: Weight,
  bias?: Float32Array,
): void {
  const exact = new Float64Array((x.length / inputs) * outputs);
  const bound = new Float64Array(exact.length);
  const steps = 4 * Math.sqrt(64 + inputs / 64);
  for (let i = 0; i < exact.length; i++) {
    const [row, n] = [Math.floor(i / outputs) * inputs, (i % outputs) * inputs];
    let sum = 0;
    let squares = 0;
    for (let k = 0; k < inputs; k++) {
      const term = x[row + k]! * values[n + k]!;
      sum += term;
      squares += term * term;
    }
    exact[i] = sum + (bias?.[i % outputs] ?? 0);
    bound[i] = U * (steps * Math.sqrt(squares) + Math.abs(exact[i]!));
  }
  expectWithin(y, exact, (i) => bound[i]!);
}

// Few different numbers of inputs: on tier B each is a program to compile.
describe.each(devices)("tier $tier", ({ gpu }) => {
  describe.each<{ format: Format }>([
    { format: "float32" },
    { format: "float16" },
    { format: "nf4" },
    { format: "nf4-half" },
  ])("$format", ({ format }) => {
    test.for([
      [1, 20, 1],
      [3, 20, 7],
      [13, 20, 241],
      [12, 3084, 36],
      [3, 1000, 270],
      [77, 128, 264],
      [60, 768, 352],
      [1030, 32, 20], // more than a row of texels
    ] as const)("%i vectors of %i inputs, %i outputs", async ([vectors, inputs, outputs]) => {
      const x = noise(vectors * inputs);
      const weight = randomWeight(outputs, inputs, format);
      const bias = noise(outputs, 3);
      expectProduct(await product(gpu, x, weight, bias), x, weight, bias);
    });

    test("a row has the same bits whatever the number of rows", async () => {
      const weight = randomWeight(345, 768, format);
      const x = noise(100 * 768);
      const bias = noise(345, 3);
      const all = await product(gpu, x, weight, bias);
      for (const vectors of [1, 5, 12, 13]) {
        expect(await product(gpu, x.slice(0, vectors * 768), weight, bias)).toEqual(all.slice(0, vectors * 345));
      }
      expect(await product(gpu, x.slice(99 * 768), weight, bias)).toEqual(all.slice(99 * 345));
    });

    // Of the last case the whole is a large matrix, and the parts a small one: on tier D other tiles, with the same bits.
    test.for([
      [64, 128, 36],
      [5, 128, 36],
      [64, 768, 100],
    ] as const)("parts of the outputs have the bits of the whole (%i vectors of %i inputs)", async (sizes) => {
      const [vectors, inputs, plane] = sizes;
      const weight = randomWeight(4 * plane, inputs, format);
      const [x, bias] = [noise(vectors * inputs), noise(4 * plane, 3)];
      const whole = await product(gpu, x, weight, bias);
      const matrix = place(gpu, weight);
      const some = gpu.frame(() => {
        const [input, added] = [gpu.upload("x", [vectors, inputs], x), gpu.upload("bias", [4 * plane], bias)];
        return matmulParts(gpu, ["a", "b", "c"], input, rowsOf(matrix, plane, 3 * plane), added);
      });
      for (const [i, part] of some.entries()) {
        const own = whole.filter((_, at) => Math.floor((at % (4 * plane)) / plane) === i + 1);
        expect(await gpu.read(part)).toEqual(own);
      }
      gpu.release(...some);
      free(gpu, matrix);
    });

    test("a weight written in pieces is the whole weight", async () => {
      const weight = randomWeight(241, 20, format);
      const [x, bias] = [noise(13 * 20), noise(241, 3)];
      expect(await product(gpu, x, weight, bias, 100)).toEqual(await product(gpu, x, weight, bias));
    });
  });

  test.for([
    ["float32", 128],
    ["float16", 128],
  ] as const)("%s: more rows than a texture is high, streamed in pieces", async ([format, inputs]) => {
    const weight = randomWeight(gpu.info.maxTextureSide + 8, inputs, format);
    const bytes = new Uint8Array(weight.words.buffer);
    const rowBytes = bytes.length / weight.outputs;
    const matrix = emptyMatrix(gpu, "weight", weight.outputs, inputs, format);
    expect(takesBytes(matrix)).toBe(true);
    const read = async (row: number, into: Uint8Array) =>
      into.set(bytes.subarray(row * rowBytes).subarray(0, into.length));
    await streamRows(gpu, matrix, 0, 5000, read);
    await streamRows(gpu, matrix, 5000, weight.outputs - 5000, read);
    const x = noise(inputs);
    const y = await compute(gpu, () => matmul(gpu, "y", gpu.upload("x", [1, inputs], x), matrix));
    free(gpu, matrix);
    expectProduct(y, x, weight);
    expect(await product(gpu, x, weight)).toEqual(y);
  });

  test("float32 of odd width, without bias", async () => {
    const x = noise(13 * 33);
    const weight = randomWeight(5, 33, "float32");
    expectProduct(await product(gpu, x, weight), x, weight);
  });

  test.for(["nf4", "nf4-half"] as const)("opens every %s weight, in rows that begin within blocks", async (format) => {
    const weight = randomWeight(241, 20, format);
    const oneHot = Float32Array.from({ length: 400 }, (_, i) => (i % 21 === 0 ? 1 : 0));
    const y = await product(gpu, oneHot, weight, new Float32Array(241));
    expectExactly(
      y,
      Float64Array.from({ length: y.length }, (_, i) => weight.values[(i % 241) * 20 + Math.floor(i / 241)]!),
    );
  });

  test("opens every finite float16 number, the subnormal ones too", async () => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => ((i & 0x7c00) === 0x7c00 ? 0 : i));
    const values = Float64Array.from(bits, fromHalf);
    const weight = {
      outputs: 256,
      inputs: 256,
      format: "float16" as const,
      words: new Uint32Array(bits.buffer),
      values,
    };
    const oneHot = Float32Array.from({ length: 65_536 }, (_, i) => (i % 257 === 0 ? 1 : 0));
    const y = await product(gpu, oneHot, weight);
    expectExactly(
      y,
      Float64Array.from({ length: 65_536 }, (_, i) => values[(i % 256) * 256 + Math.floor(i / 256)]!),
    );
  });
});

test.for([
  ["nf4", 4.5],
  ["nf4-half", 4.25],
] as const)("%s takes %d bits a weight, in a dry run, too", ([format, bits]) => {
  const [outputs, inputs] = [4096, 11_008];
  const bytes = (bits / 8) * outputs * inputs;
  for (const [tier, expected] of [
    ["D", bytes],
    ["B", sizeClass(bytes)],
  ] as const) {
    const dry = openDry({ tier });
    emptyMatrix(dry, "down_proj.weight", outputs, inputs, format);
    expect(dry.bytes).toBe(expected);
  }
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  const weight = emptyMatrix(dry, "query.weight", 4, 8, "float32");
  const x = dry.tensor("hidden", [2, 3, 8]);
  expect(() => matmul(dry, "y", dry.tensor("hidden", [2, 3, 7]), weight)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: matmul: hidden has shape [2, 3, 7], expected […, 8]]`,
  );
  expect(() => matmul(dry, "y", x, weight, dry.tensor("query.bias", [5]))).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: matmul: query.bias has shape [5], expected [4]]`,
  );
  expect(() => emptyMatrix(dry, "query.weight", 4, 7, "float16")).toThrowErrorMatchingInlineSnapshot(
    `[Error: matmul: query.weight has 7 inputs, float16 needs an even number]`,
  );
});
