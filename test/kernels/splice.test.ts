import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { splice } from "../../src/kernels/splice.ts";
import { anyGpu, compute, devices, expectExactly, noise } from "./device.ts";

interface Size {
  readonly x: readonly [rows: number, tokens: number];
  readonly guest: readonly [rows: number, tokens: number];
  readonly first: number;
  readonly removed: number;
  readonly width: number;
}

async function check(gpu: Gpu, { x: [xRows, tokens], guest: [gRows, inserted], first, removed, width }: Size) {
  const [x, guest] = [noise(xRows * tokens * width, 1), noise(gRows * inserted * width, 2)];
  const vectors = (values: Float32Array, row: number, count: number) =>
    Array.from({ length: count }, (_, t) => values.subarray((row * count + t) * width, (row * count + t + 1) * width));
  const exact: number[] = [];
  for (let row = 0; row < Math.max(xRows, gRows); row++) {
    const all = vectors(x, row < xRows ? row : 0, tokens);
    all.splice(first, removed, ...vectors(guest, row < gRows ? row : 0, inserted));
    for (const vector of all) for (const value of vector) exact.push(value);
  }
  const y = await compute(gpu, () => {
    const host = gpu.upload("x", [xRows, tokens, width], x);
    return splice(gpu, "y", host, first, removed, gpu.upload("guest", [gRows, inserted, width], guest));
  });
  expectExactly(y, exact);
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for<[string, Size]>([
    ["nothing but the guest", { x: [1, 1], guest: [1, 1], first: 0, removed: 1, width: 1 }],
    ["one token for many", { x: [1, 16], guest: [1, 64], first: 4, removed: 1, width: 128 }],
    ["behind all tokens", { x: [1, 3], guest: [1, 7], first: 3, removed: 0, width: 5 }],
    ["many tokens for fewer", { x: [1, 13], guest: [1, 2], first: 3, removed: 7, width: 3 }],
    ["many rows of guests", { x: [1, 5], guest: [3, 2], first: 1, removed: 1, width: 7 }],
    ["many rows of hosts", { x: [3, 5], guest: [1, 2], first: 1, removed: 1, width: 7 }],
  ])("%s", ([, size]) => check(gpu, size));
});

test("reaches past 65,535 workgroups", () =>
  check(anyGpu, { x: [1, 20], guest: [1, 500], first: 5, removed: 1, width: 8192 }));

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  const x = dry.tensor("words", [1, 3, 8]);
  expect(() => splice(dry, "y", x, 1, 1, dry.tensor("picture", [1, 4, 9]))).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: splice: picture has shape [1, 4, 9], expected [rows, tokens, 8]]`,
  );
  expect(() => splice(dry, "y", x, 3, 1, dry.tensor("picture", [1, 4, 8]))).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: splice: words has shape [1, 3, 8], expected [rows, at least 4, 8]]`,
  );
});
