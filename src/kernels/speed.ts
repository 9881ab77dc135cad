/** How fast this adapter multiplies, for estimates of time. */
import type { Gpu } from "./gpu.ts";
import { matmul } from "./matmul.ts";
import { emptyMatrix } from "./matrix.ts";

const SIDE = 1024;

/** Multiply-adds a second (2 each) of a product of 1024 x 1024 matrices: the best of three. */
export async function matmulSpeed(gpu: Gpu): Promise<number> {
  const weight = emptyMatrix(gpu, "speed", SIDE, SIDE, "float32");
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const nanoseconds = await gpu.time(() => {
      gpu.frame(() => {
        matmul(gpu, "speed", gpu.tensor("speed", [SIDE, SIDE]), weight);
      });
    });
    best = Math.min(best, nanoseconds);
  }
  if (weight.texture) gpu.destroyTexture(weight.texture);
  if (weight.memory) gpu.release({ label: "speed", shape: [], memory: weight.memory });
  return (2 * SIDE ** 3) / (best * 1e-9);
}
