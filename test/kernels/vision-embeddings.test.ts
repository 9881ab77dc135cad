import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import { visionEmbeddings } from "../../src/kernels/vision-embeddings.ts";
import { anyGpu, compute, devices, expectExactly, noise } from "./device.ts";

/** One sum of two float32 an element: there is one right answer. */
function reference(patches: Float32Array, first: Float32Array, position: Float32Array, rows: number): Float32Array {
  const width = first.length;
  const tokens = position.length / width;
  return Float32Array.from({ length: rows * tokens * width }, (_, i) => {
    const column = i % width;
    const token = Math.floor(i / width) % tokens;
    const row = Math.floor(i / width / tokens);
    const value = token === 0 ? first[column]! : patches[(row * (tokens - 1) + token - 1) * width + column]!;
    return value + position[token * width + column]!;
  });
}

async function check(gpu: typeof anyGpu, rows: number, count: number, width: number): Promise<void> {
  const patches = noise(rows * count * width, 1);
  const first = noise(width, 2);
  const position = noise((count + 1) * width, 3);
  const y = await compute(gpu, () => {
    const inputs = [gpu.upload("class", [width], first), gpu.upload("position", [count + 1, width], position)] as const;
    return visionEmbeddings(gpu, "y", gpu.upload("patches", [rows, count, width], patches), ...inputs);
  });
  expectExactly(y, reference(patches, first, position, rows));
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([
    [1, 1, 1],
    [3, 4, 7],
    [1, 144, 128],
    [1, 576, 768],
  ] as const)("%i rows of %i patches of %i", ([rows, count, width]) => check(gpu, rows, count, width));
});

test("reaches past 65,535 workgroups", () => check(anyGpu, 10, 576, 768));

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  const patches = dry.tensor("patches", [1, 4, 8]);
  const first = dry.tensor("class_embedding", [1, 1, 8]);
  expect(() => {
    visionEmbeddings(dry, "y", patches, dry.tensor("class_embedding", [1, 1, 7]), dry.tensor("position", [5, 8]));
  }).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: visionEmbeddings: class_embedding has shape [1, 1, 7], expected [8]]`,
  );
  expect(() =>
    visionEmbeddings(dry, "y", patches, first, dry.tensor("position", [4, 8])),
  ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: visionEmbeddings: position has shape [4, 8], expected [5, 8]]`);
});
