import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { quickGelu as shader } from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/** x sigmoid(1.702 x) of every element. Hugging Face: `ACT2FN["quick_gelu"]`. */
export function quickGelu(gpu: Gpu, label: string, x: Tensor): Tensor {
  const y = gpu.tensor(label, x.shape);
  const count = size(x.shape);
  gpu.run(shader, {}, { x: x.memory, y: y.memory }, { count }, groupsOf(count / 4));
  return y;
}
