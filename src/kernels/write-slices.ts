import type { Gpu } from "./gpu.ts";
import { writeSlices as shader } from "./shaders.gen.ts";
import type { Tensor } from "./tensor.ts";

/** What happens to `length` elements of the target from element `to` on; see shaders/write-slices.wgsl. */
export interface Slice {
  readonly to: number;
  readonly from: number;
  readonly length: number;
  readonly kind: "copy" | "fill" | "scale" | "add";
  readonly factor: number;
}

const kinds = { copy: 0, fill: 1, scale: 2, add: 3 } as const;

/**
 * Changes slices of `target` in place, by copies out of `source` or by factors; they may not overlap.
 * Word `firstChanged` + i of `changed` becomes nonzero if any bit of slice i became another.
 */
export function writeSlices(
  gpu: Gpu,
  target: Tensor,
  source: Tensor,
  slices: readonly Slice[],
  changed: Tensor,
  firstChanged = 0,
): void {
  const words = new Uint32Array(slices.length * 5);
  const floats = new Float32Array(words.buffer);
  slices.forEach(({ to, from, length, kind, factor }, i) => {
    words.set([to, from, length, kinds[kind]], 5 * i);
    floats[5 * i + 4] = factor;
  });
  const table = gpu.upload("slices", [slices.length, 5], words);
  gpu.run(
    shader,
    {},
    { source: source.memory, slices: table.memory, destination: target.memory, changed: changed.memory },
    { count: slices.length, first_changed: firstChanged },
    slices.length,
  );
}
