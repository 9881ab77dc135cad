import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { rows as shader } from "./shaders.gen.ts";
import { rowSize, rows as rowsOf, type Tensor } from "./tensor.ts";

/** x with `count` rows: its own, then its row 0 again and again. Always a copy. */
export function withRows(gpu: Gpu, label: string, x: Tensor, count: number): Tensor {
  const y = gpu.tensor(label, [count, ...x.shape.slice(1)]);
  copyInto(gpu, y, 0, x, count);
  return y;
}

/** Of tensors [1, ...] of one shape those with these numbers, one a row: [which.length, ...]. */
export function stacked(gpu: Gpu, tensors: readonly Tensor[], which: readonly number[]): Tensor {
  const { label, shape } = tensors[0]!;
  for (const one of tensors)
    if (String(one.shape) !== String([1, ...shape.slice(1)]))
      throw new ShapeError("stacked", one, [1, ...shape.slice(1)]);
  const y = gpu.tensor(label, [which.length, ...shape.slice(1)]);
  for (const [row, number] of which.entries()) copyInto(gpu, y, row, tensors[number]!, 1);
  return y;
}

function copyInto(gpu: Gpu, y: Tensor, first: number, x: Tensor, count: number): void {
  const elements = count * rowSize(x);
  const params = { count: elements, row_size: rowSize(x), x_rows: rowsOf(x), first };
  gpu.run(shader, {}, { x: x.memory, y: y.memory }, params, groupsOf(elements));
}
