/**
 * A device that computes nothing: it counts, so that shapes, weights, sites, cost and memory are known before any is taken.
 * Its ledger is the real one. What is read from it is zero.
 */
import { Arena } from "./arena.ts";
import type { AdapterInfo, Gpu, Program } from "./gpu.ts";
import { Operands } from "./operands.ts";
import { size, type Tensor } from "./tensor.ts";

export interface DryGpu extends Gpu {
  /** What ran, each program once. */
  readonly programs: ReadonlyMap<string, Program>;
}

export function openDry(info: Partial<AdapterInfo> = {}): DryGpu {
  const full: AdapterInfo = {
    name: "dry run",
    tier: "D",
    subgroupSize: 8,
    features: [],
    maxBindingBytes: Number.POSITIVE_INFINITY,
    maxTextureSide: 8192,
    halfFlushes: false,
    ...info,
    memoryBytes: Number.POSITIVE_INFINITY,
    kind: "none",
  };
  const nothing = { buffer: () => undefined, texture: () => undefined, maxTextureSide: full.maxTextureSide };
  const arena = new Arena(nothing, full, () => {});
  const operands = new Operands(arena);
  const tensor = (label: string, shape: readonly number[]): Tensor => ({
    label,
    shape,
    memory: arena.take(label, 4 * size(shape)),
  });
  const programs = new Map<string, Program>();
  return {
    programs,
    info: full,
    tuning: { chosen: new Map() },
    flop: 0,
    dispatches: 0,
    get bytes() {
      return arena.bytes;
    },
    tensor,
    upload: tensor,
    write: () => {},
    writeTexels: () => {},
    stream: async () => {},
    texture: (label, width, height) => arena.texture(label, width, height),
    texels: (tensor, operand = 0) => operands.texture(operand, tensor),
    frame: (work) => arena.frame(work),
    keep(kept) {
      arena.keep(kept.memory);
      return kept;
    },
    release: (...tensors) => {
      for (const { memory } of tensors) arena.give(memory);
    },
    split: (whole, labels) => arena.split(whole, labels),
    destroyTexture: (texture) => arena.destroyTexture(texture),
    run(shader, overrides) {
      this.dispatches += 1;
      programs.set(`${shader.name} ${JSON.stringify(overrides)}`, { shader, overrides });
    },
    recorder: () => ({ run: (_name, _args, work) => arena.frame(work) }),
    compile: async () => {},
    read: async ({ shape }) => new Float32Array(size(shape)),
    submit: () => {},
    finish: async () => {},
    time: async () => 0,
    close: () => arena.close(),
  };
}
