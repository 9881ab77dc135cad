import { describe, expect, test } from "vitest";
import { type Slice, writeSlices } from "../../src/kernels/write-slices.ts";
import { devices } from "./device.ts";

/** Multiples of an eighth: products with a half and their sums are exact in float32, so one answer is right. */
const eighths = (count: number, step: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * step) % 97) / 8 - 6);

function reference(
  target: Float32Array,
  source: Float32Array,
  slices: readonly Slice[],
): { y: Float32Array; changed: number[] } {
  const y = target.slice();
  const value = (old: number, { kind, factor }: Slice, from: number) =>
    ({ copy: source[from]!, fill: factor, scale: old * factor, add: old + factor * source[from]! })[kind];
  const changed = slices.map((slice) => {
    let any = 0;
    for (let i = 0; i < slice.length; i++) {
      const old = y[slice.to + i]!;
      y[slice.to + i] = value(old, slice, slice.from + i);
      if (!Object.is(y[slice.to + i], old)) any = 1;
    }
    return any;
  });
  return { y, changed };
}

const kinds = ["copy", "fill", "scale", "add"] as const;

describe.each(devices)("tier $tier", ({ gpu }) => {
  async function check(
    target: Float32Array,
    source: Float32Array,
    slices: readonly Slice[],
    firstChanged = 0,
  ): Promise<number[]> {
    const expected = reference(target, source, slices);
    const [y, flags] = gpu.frame(() => {
      const y = gpu.upload("target", [target.length], target);
      const flags = gpu.upload(
        "changed",
        [firstChanged + slices.length],
        new Uint32Array(firstChanged + slices.length),
      );
      writeSlices(gpu, y, gpu.upload("source", [source.length], source), slices, flags, firstChanged);
      return [y, flags] as const;
    });
    expect(await gpu.read(y)).toEqual(expected.y);
    const changed = [...new Uint32Array((await gpu.read(flags)).buffer)];
    gpu.release(y, flags);
    expect(changed).toEqual([...new Array<number>(firstChanged).fill(0), ...expected.changed]);
    return changed;
  }

  test.for(kinds.flatMap((kind) => [1, 7, 64, 145 * 128].map((length) => [kind, length] as const)))(
    "%s %i elements, and no other",
    async ([kind, length]) => {
      const slice = { to: 5, from: 3, length, kind, factor: -1.5 };
      await check(eighths(length + 12, 5), eighths(length + 9, 7), [slice]);
    },
  );

  test("takes many slices of all kinds at once", async () => {
    const slices = Array.from({ length: 241 }, (_, i) => ({
      to: 13 * i + (i % 3),
      from: (i * 29) % 500,
      length: 1 + (i % 10),
      kind: kinds[i % 4]!,
      factor: (i % 7) / 2 - 1,
    }));
    await check(eighths(241 * 13, 5), eighths(600, 7), slices, 9);
  });

  test("tells slices that kept their bits from slices that did not", async () => {
    const target = new Float32Array([1, 2, 0, 4, 5, 6]);
    const changed = await check(target, new Float32Array([1, 2, -0]), [
      { to: 0, from: 0, length: 2, kind: "copy", factor: 0 },
      { to: 2, from: 2, length: 1, kind: "copy", factor: 0 },
      { to: 3, from: 0, length: 1, kind: "fill", factor: 4 },
      { to: 4, from: 0, length: 1, kind: "scale", factor: 1 },
      { to: 5, from: 0, length: 1, kind: "add", factor: 0.5 },
    ]);
    expect(changed).toEqual([0, 1, 0, 0, 1]);
  });
});

test("takes more than 65,535 slices", async () => {
  const { gpu } = devices[0];
  const count = 70_000;
  const slices = Array.from({ length: count }, (_, i) => ({
    to: i,
    from: 0,
    length: 1,
    kind: "scale" as const,
    factor: -2,
  }));
  const target = eighths(count, 5);
  const y = gpu.upload("target", [count], target);
  const flags = gpu.upload("changed", [count], new Uint32Array(count));
  writeSlices(gpu, y, gpu.upload("source", [1], new Float32Array(1)), slices, flags);
  expect(await gpu.read(y)).toEqual(target.map((x) => -2 * x));
});
