import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { gatedSilu as shader } from "./shaders.gen.ts";
import { rowSize, rows, size, type Tensor } from "./tensor.ts";

/** silu(gate) · up of every element, in one step; rows obey the batch rule. Hugging Face: `LlamaMLP`. */
export const gatedSilu = (gpu: Gpu, label: string, gate: Tensor, up: Tensor): Tensor =>
  run(gpu, label, gate, up, { SILU: true, UP: true });

/** x sigmoid(x) of every element. Hugging Face: `ACT2FN["silu"]`. */
export const silu = (gpu: Gpu, label: string, x: Tensor): Tensor => run(gpu, label, x, x, { SILU: true, UP: false });

/** active · up of every element: after `silu`, the same bits as `gatedSilu`. */
export const gated = (gpu: Gpu, label: string, active: Tensor, up: Tensor): Tensor =>
  run(gpu, label, active, up, { SILU: false, UP: true });

function run(gpu: Gpu, label: string, gate: Tensor, up: Tensor, overrides: { SILU: boolean; UP: boolean }): Tensor {
  if (rowSize(gate) !== rowSize(up)) throw new ShapeError("gatedSilu", up, ["rows", ...gate.shape.slice(1)]);
  const y = gpu.tensor(label, [Math.max(rows(gate), rows(up)), ...gate.shape.slice(1)]);
  const count = size(y.shape);
  const params = { count, row_size: rowSize(gate), gate_rows: rows(gate), up_rows: rows(up) };
  gpu.run(shader, overrides, { gate: gate.memory, up: up.memory, y: y.memory }, params, groupsOf(count));
  return y;
}
