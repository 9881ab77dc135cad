import type { Gpu } from "./gpu.ts";

/** Invocations in a workgroup that reduces a vector: one subgroup in tier D, where barriers are dear; else 64. */
export const groupSize = (gpu: Gpu): number => (gpu.info.tier === "D" ? gpu.info.subgroupSize : 64);

/** Workgroups of 64 for one invocation an element. */
export const groupsOf = (count: number): number => Math.ceil(count / 64);

/** Rows of a tile of the subgroup kernels: ROWS of shaders/lib/tile.wgsl. */
export const ROWS = 16;

/** Inputs of a block of the subgroup kernels, whose sum is one term of the total: K_BLOCK of shaders/lib/tile.wgsl, strip.wgsl. */
export const K_BLOCK = 16;
