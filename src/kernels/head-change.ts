import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { headChange as shader } from "./shaders.gen.ts";
import { rowSize, rows, size, type Tensor } from "./tensor.ts";

/** Sum over the heads of now - before, both [rows, heads, tokens, width]: [rows, tokens, width]. */
export function headChange(gpu: Gpu, label: string, now: Tensor, before: Tensor): Tensor {
  if (rowSize(now) !== rowSize(before)) throw new ShapeError("headChange", before, ["rows", ...now.shape.slice(1)]);
  const [, heads, tokens, width] = now.shape as [number, number, number, number];
  const y = gpu.tensor(label, [Math.max(rows(now), rows(before)), tokens, width]);
  const count = size(y.shape);
  const params = { count, heads, tokens, width, now_rows: rows(now), before_rows: rows(before) };
  gpu.run(shader, {}, { now: now.memory, before: before.memory, y: y.memory }, params, groupsOf(count));
  return y;
}
