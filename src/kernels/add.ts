import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { add as shader } from "./shaders.gen.ts";
import { rowSize, rows, size, type Tensor } from "./tensor.ts";

/** a [a_rows, ...] + b [b_rows, ...]; the operand with fewer rows stands for its row 0 repeated. */
export function add(gpu: Gpu, label: string, a: Tensor, b: Tensor): Tensor {
  if (rowSize(a) !== rowSize(b)) throw new ShapeError("add", b, ["rows", ...a.shape.slice(1)]);
  const y = gpu.tensor(label, [Math.max(rows(a), rows(b)), ...a.shape.slice(1)]);
  const count = size(y.shape);
  const params = { count, row_size: rowSize(a), a_rows: rows(a), b_rows: rows(b) };
  gpu.run(shader, {}, { a: a.memory, b: b.memory, y: y.memory }, params, groupsOf(count));
  return y;
}
