import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { isolateHeads as shader } from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/** z [rows, tokens, heads, dim] to [rows, heads, tokens, heads·dim], each head alone among zeros. */
export function isolateHeads(gpu: Gpu, label: string, z: Tensor): Tensor {
  const [rows, tokens, heads, dim] = z.shape as [number, number, number, number];
  const y = gpu.tensor(label, [rows, heads, tokens, heads * dim]);
  const count = size(y.shape);
  gpu.run(shader, {}, { z: z.memory, y: y.memory }, { count, tokens, heads, dim }, groupsOf(count));
  return y;
}
