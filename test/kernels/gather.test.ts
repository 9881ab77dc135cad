import { describe, expect, test } from "vitest";
import { asTable, emptyTable, gather, type Table, writeEntries } from "../../src/kernels/gather.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { anyGpu, compute, devices, expectExactly, fromHalf, noise } from "./device.ts";

function table(gpu: Gpu, entries: number, width: number, half: boolean, words: Float32Array | Uint32Array): Table {
  return { ...asTable(gpu.upload("table", [words.length], words), entries, width), half };
}

async function check(gpu: Gpu, entries: number, width: number, tokens: number): Promise<void> {
  const values = noise(entries * width);
  const ids = Uint32Array.from({ length: tokens }, (_, i) => (entries - 1 + i * 7919) % entries);
  const y = await compute(gpu, () => {
    return gather(gpu, "y", table(gpu, entries, width, false, values), gpu.upload("ids", [1, tokens], ids));
  });
  expectExactly(
    y,
    Float32Array.from({ length: tokens * width }, (_, i) => values[ids[Math.floor(i / width)]! * width + (i % width)]!),
  );
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  test.for([
    [1, 1, 1],
    [13, 7, 3],
    [241, 128, 145],
    [3000, 768, 20],
  ] as const)("%i entries of %i, %i tokens", ([entries, width, tokens]) => check(gpu, entries, width, tokens));

  test("opens every float16 number, the subnormal ones too", async () => {
    const words = Uint32Array.from({ length: 32_768 }, (_, i) => (2 * i) | ((2 * i + 1) << 16));
    const ids = Uint32Array.from({ length: 256 }, (_, i) => i);
    const y = await compute(gpu, () => {
      return gather(gpu, "y", table(gpu, 256, 256, true, words), gpu.upload("ids", [1, 256], ids));
    });
    const wrong = [...y.keys()].filter((bits) => !Object.is(y[bits], fromHalf(bits)));
    expect(wrong).toEqual([]);
  });
});

test.for([false, true])("a table in parts, float16 %s: the same rows", async (half) => {
  const [entries, width] = [103, 6];
  const rowWords = half ? width / 2 : width;
  const words = Uint32Array.from({ length: entries * rowWords }, (_, i) => (half ? 0x3c00_0000 + i : 0x3f80_0000 + i));
  const whole = emptyTable(anyGpu, "whole", entries, width, half);
  const cut = emptyTable(anyGpu, "cut", entries, width, half, 20 * 4 * rowWords);
  expect(cut.parts).toHaveLength(6);
  for (const table of [whole, cut])
    for (let first = 0; first < entries; first += 35)
      writeEntries(anyGpu, table, first, words.subarray(first * rowWords, Math.min(entries, first + 35) * rowWords));
  const ids = Uint32Array.from({ length: entries }, (_, i) => (i * 37) % entries);
  const rows = (table: Table) =>
    compute(anyGpu, () => gather(anyGpu, "y", table, anyGpu.upload("ids", [1, entries], ids)));
  expect(await rows(cut)).toEqual(await rows(whole));
});

test("reaches past 65,535 workgroups", () => check(anyGpu, 11, 1001, 4200));
