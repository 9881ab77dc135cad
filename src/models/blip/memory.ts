/** Keys and values of an image, made once and used by every run that looks at the same image. */
import type { Gpu } from "../../kernels/gpu.ts";
import type { Tensor } from "../../kernels/tensor.ts";

/** The tensor of this name: a known one, or what `make` makes, kept for the next time. */
export type Remembered = (name: string, make: () => Tensor) => Tensor;

export interface KeyValueMemory {
  readonly remembered: Remembered;
  release(): void;
}

export function keyValueMemory(gpu: Gpu): KeyValueMemory {
  const known = new Map<string, Tensor>();
  return {
    remembered(name, make) {
      const tensor = known.get(name) ?? gpu.keep(make());
      known.set(name, tensor);
      return tensor;
    },
    release() {
      gpu.release(...known.values());
      known.clear();
    },
  };
}
