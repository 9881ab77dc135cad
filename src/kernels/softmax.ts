import type { Gpu } from "./gpu.ts";
import { groupSize } from "./group.ts";
import { softmax as shader } from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/** Softmax over the last axis of x [..., width]. -inf becomes 0. */
export function softmax(gpu: Gpu, label: string, x: Tensor): Tensor {
  const width = x.shape.at(-1)!;
  const y = gpu.tensor(label, x.shape);
  const vectors = size(x.shape) / width;
  gpu.run(shader, { WG: groupSize(gpu) }, { x: x.memory, y: y.memory }, { vectors, width }, vectors);
  return y;
}
