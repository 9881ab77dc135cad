import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { patches as shader } from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/** pixels [rows, 3, side, side] to vectors [rows, (side/patch)², 3·patch²], in the order of a convolution's weight. */
export function patches(gpu: Gpu, label: string, pixels: Tensor, patch: number): Tensor {
  const [rows, channels, height, width] = pixels.shape;
  if (channels !== 3 || height !== width || width! % patch !== 0) {
    throw new ShapeError("patches", pixels, ["rows", 3, `a multiple of ${patch}`, "the same"]);
  }
  const y = gpu.tensor(label, [rows!, (width! / patch) ** 2, 3 * patch ** 2]);
  const count = size(y.shape);
  gpu.run(
    shader,
    {},
    { pixels: pixels.memory, y: y.memory },
    { count, size: width!, patch_side: patch },
    groupsOf(count),
  );
  return y;
}
