/** A device that computes nothing: it counts, so that shapes, weights, sites and cost are known before any memory is taken. */
import type { AdapterInfo, Bindable, Gpu } from "./gpu.ts";
import type { Tensor, TextureMemory } from "./tensor.ts";

export function openDry(info: Partial<AdapterInfo> = {}): Gpu {
  const full: AdapterInfo = {
    name: "dry run",
    kind: "none",
    tier: "D",
    subgroupSize: 8,
    features: [],
    maxBindingBytes: Number.POSITIVE_INFINITY,
    halfFlushes: false,
    ...info,
  };
  const memory = (bytes: number): Bindable & { bytes: number } => ({ id: 0, bytes });
  const nothing = (what: string) => () => Promise.reject(new Error(`dry run: ${what} has no values`));
  return {
    info: full,
    flop: 0,
    dispatches: 0,
    bytes: 0,
    tensor: (label, shape): Tensor => ({ label, shape, memory: memory(4 * shape.reduce((a, b) => a * b, 1)) }),
    upload: (label, shape): Tensor => ({ label, shape, memory: memory(4 * shape.reduce((a, b) => a * b, 1)) }),
    write: () => {},
    texture: (_label, width, height): TextureMemory => memory(width * height * 16),
    frame: (work) => work(),
    keep: (tensor) => tensor,
    release: () => {},
    destroyTexture: () => {},
    run() {
      this.dispatches += 1;
    },
    read: nothing("a tensor"),
    submit: () => {},
    finish: async () => {},
    time: nothing("a dispatch"),
    close: () => {},
  };
}
