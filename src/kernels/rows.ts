import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { rows as shader } from "./shaders.gen.ts";
import { rowSize, rows as rowsOf, size, type Tensor } from "./tensor.ts";

/** x with `count` rows: its own, then its row 0 again and again. Always a copy. */
export function withRows(gpu: Gpu, label: string, x: Tensor, count: number): Tensor {
  const y = gpu.tensor(label, [count, ...x.shape.slice(1)]);
  const elements = size(y.shape);
  const params = { count: elements, row_size: rowSize(x), x_rows: rowsOf(x) };
  gpu.run(shader, {}, { x: x.memory, y: y.memory }, params, groupsOf(elements));
  return y;
}

/** The rows of x [rows, ...], each of them [1, ...], as tensors of their own; each a multiple of PART_BYTES where there are several. */
export const rowsApart = (gpu: Gpu, x: Tensor): Tensor[] =>
  rowsOf(x) === 1
    ? [x]
    : gpu.split(x, new Array(rowsOf(x)).fill(x.label)).map((row) => ({ ...row, shape: [1, ...row.shape] }));
