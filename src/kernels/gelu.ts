import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { gelu as shader } from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/** The exact GELU, x/2 (1 + erf(x/√2)), of every element. Hugging Face: `ACT2FN["gelu"]`. */
export function gelu(gpu: Gpu, label: string, x: Tensor): Tensor {
  const y = gpu.tensor(label, x.shape);
  const count = size(x.shape);
  gpu.run(shader, {}, { x: x.memory, y: y.memory }, { count }, groupsOf(count / 4));
  return y;
}
