import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { visionEmbeddings as shader } from "./shaders.gen.ts";
import { size, type Tensor } from "./tensor.ts";

/**
 * The class vector, then the patches [rows, tokens - 1, width], all plus their position [tokens, width].
 * Hugging Face: `BlipVisionEmbeddings`.
 */
export function visionEmbeddings(
  gpu: Gpu,
  label: string,
  patches: Tensor,
  classVector: Tensor,
  position: Tensor,
): Tensor {
  const [rows, count, width] = patches.shape as [number, number, number];
  const tokens = count + 1;
  if (size(classVector.shape) !== width) throw new ShapeError("visionEmbeddings", classVector, [width]);
  if (size(position.shape) !== tokens * width) throw new ShapeError("visionEmbeddings", position, [tokens, width]);
  const y = gpu.tensor(label, [rows, tokens, width]);
  const elements = size(y.shape);
  gpu.run(
    shader,
    {},
    { patches: patches.memory, class_embedding: classVector.memory, position: position.memory, y: y.memory },
    { count: elements, tokens, width },
    groupsOf(elements),
  );
  return y;
}
