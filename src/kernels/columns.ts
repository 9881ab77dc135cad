import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { columns as shader } from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/** Columns first .. first + width of x [..., x_width]: [..., width]. */
export function columns(gpu: Gpu, label: string, x: Tensor, first: number, width: number): Tensor {
  const xWidth = x.shape.at(-1)!;
  if (first + width > xWidth) throw new ShapeError("columns", x, ["…", `at least ${first + width}`]);
  return someOrZero(gpu, label, x, first, width);
}

/** x [..., x_width] with columns of zeros behind its own: [..., width]. */
export const widened = (gpu: Gpu, x: Tensor, width: number): Tensor => someOrZero(gpu, x.label, x, 0, width);

function someOrZero(gpu: Gpu, label: string, x: Tensor, first: number, width: number): Tensor {
  const xWidth = x.shape.at(-1)!;
  const y = gpu.tensor(label, [...x.shape.slice(0, -1), width]);
  const count = size(y.shape);
  gpu.run(shader, {}, { x: x.memory, y: y.memory }, { count, x_width: xWidth, first, width }, groupsOf(count));
  return y;
}
