import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupSize } from "./group.ts";
import { rmsNorm as shader } from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/** Root-mean-square norm over the last axis of x [..., width]; `weight` is [width]. Hugging Face: `LlamaRMSNorm`. */
export function rmsNorm(gpu: Gpu, label: string, x: Tensor, weight: Tensor, eps: number): Tensor {
  const width = x.shape.at(-1)!;
  if (size(weight.shape) !== width) throw new ShapeError("rmsNorm", weight, [width]);
  const y = gpu.tensor(label, x.shape);
  const vectors = size(x.shape) / width;
  gpu.run(
    shader,
    { WG: groupSize(gpu), WIDTH: width, EPS: eps },
    { x: x.memory, weight: weight.memory, y: y.memory },
    { vectors },
    vectors,
  );
  return y;
}
