/** Tensors out of files, and noise, that edits copy from or add. */
import type { Gpu } from "../kernels/gpu.ts";
import type { Tensor } from "../kernels/tensor.ts";

export interface StoredTensor {
  readonly data: Float32Array;
}

/** The tensors on the device, made when first asked for. */
export function storedSources(gpu: Gpu, stored: ReadonlyMap<string, StoredTensor>) {
  const made = new Map<string, Tensor>();
  return {
    get(name: string): Tensor | undefined {
      const source = stored.get(name);
      if (!source) return undefined;
      const tensor = made.get(name) ?? gpu.keep(gpu.upload(name, [1, source.data.length], source.data));
      made.set(name, tensor);
      return tensor;
    },
    release: () => gpu.release(...made.values()),
  };
}

/** Standard normal numbers, the same for the same seed everywhere: PCG hash of the index, Box–Muller. */
export function normalNumbers(count: number, seed: number): Float32Array {
  const uniform = (i: number) => (hash(hash(i) ^ hash(seed)) + 0.5) / 2 ** 32;
  return Float32Array.from({ length: count }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(uniform(2 * i)));
    return radius * Math.cos(2 * Math.PI * uniform(2 * i + 1));
  });
}

/** PCG's output permutation of a 32-bit number (O'Neill 2014, RXS-M-XS). */
function hash(value: number): number {
  const state = (Math.imul(value, 747796405) + 2891336453) >>> 0;
  const word = Math.imul(((state >>> ((state >>> 28) + 4)) ^ state) >>> 0, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}
