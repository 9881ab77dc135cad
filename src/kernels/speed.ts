/** How fast this adapter multiplies. */
import type { Gpu } from "./gpu.ts";
import { matmul, productClass } from "./matmul.ts";
import { emptyMatrix, type Matrix } from "./matrix.ts";

const MOST_VECTORS = 1024;

/** A product that takes so many nanoseconds is as fast as larger ones. */
const LONG = 50e6;

/**
 * Multiply-adds a second (2 each) of a product like those of a model with these matrices, which may lie on a dry device:
 * by one of the shape that most of them have, the best of three.
 */
export async function matmulSpeed(gpu: Gpu, matrices: readonly Matrix[]): Promise<number> {
  const { inputs, outputs, format } = commonest(matrices);
  const weight = emptyMatrix(gpu, "speed", outputs, inputs, format);
  try {
    for (let vectors = 64; ; vectors *= 4) {
      const nanoseconds = await quickest(gpu, weight, vectors);
      if (nanoseconds > LONG || vectors >= MOST_VECTORS) return (2 * vectors * inputs * outputs) / (nanoseconds * 1e-9);
    }
  } finally {
    if (weight.texture) gpu.destroyTexture(weight.texture);
    if (weight.memory) gpu.release({ label: "speed", shape: [], memory: weight.memory });
  }
}

function commonest(matrices: readonly Matrix[]): Matrix {
  const counts = new Map<string, number>();
  for (const matrix of matrices) counts.set(productClass(matrix, 1), (counts.get(productClass(matrix, 1)) ?? 0) + 1);
  const [most] = [...counts].reduce((best, other) => (other[1] > best[1] ? other : best));
  return matrices.find((matrix) => productClass(matrix, 1) === most)!;
}

async function quickest(gpu: Gpu, weight: Matrix, vectors: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) best = Math.min(best, await timeProduct(gpu, weight, vectors));
  return best;
}

/** Nanoseconds on the device for the product of so many vectors, whatever stands in them. */
export const timeProduct = (gpu: Gpu, weight: Matrix, vectors: number): Promise<number> =>
  gpu.time(() => {
    gpu.frame(() => {
      matmul(gpu, "timing", gpu.tensor("timing", [vectors, weight.inputs]), weight);
    });
  });
