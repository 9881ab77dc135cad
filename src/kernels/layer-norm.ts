import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupSize } from "./group.ts";
import { layerNorm as shader } from "./shaders.gen.ts";
import { rowSize, rows, size, type Tensor } from "./tensor.ts";

/**
 * LayerNorm over the last axis of x [rows, ..., width], of x + residual where there is one (under the batch rule);
 * `weight` and `bias` are [width]. Hugging Face: `torch.nn.LayerNorm`.
 */
export function layerNorm(
  gpu: Gpu,
  label: string,
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  eps: number,
  residual?: Tensor,
): Tensor {
  const width = x.shape.at(-1)!;
  for (const t of [weight, bias]) if (size(t.shape) !== width) throw new ShapeError("layerNorm", t, [width]);
  const other = residual ?? x;
  if (rowSize(other) !== rowSize(x)) throw new ShapeError("layerNorm", other, ["rows", ...x.shape.slice(1)]);
  const y = gpu.tensor(label, [Math.max(rows(x), rows(other)), ...x.shape.slice(1)]);
  const vectors = size(y.shape) / width;
  gpu.run(
    shader,
    { WG: groupSize(gpu), WIDTH: width, EPS: eps, RESIDUAL: residual !== undefined },
    { x: x.memory, residual: other.memory, weight: weight.memory, bias: bias.memory, y: y.memory },
    { vectors, row_size: rowSize(x), x_rows: rows(x), residual_rows: rows(other) },
    vectors,
  );
  return y;
}
