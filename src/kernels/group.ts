import type { Gpu } from "./gpu.ts";

/** Invocations in a workgroup that reduces a vector: one subgroup in tier D, where barriers are dear; else 64. */
export const groupSize = (gpu: Gpu): number => (gpu.info.tier === "D" ? gpu.info.subgroupSize : 64);

/** Workgroups of 64 for one invocation an element. */
export const groupsOf = (count: number): number => Math.ceil(count / 64);

/** Rows of a tile of the subgroup kernels: ROWS of shaders/lib/tile.wgsl. */
const ROWS = 16;

/** The same of the strip kernels: STRIPS x STRIP of shaders/lib/strip.wgsl. */
const STRIP_ROWS = 24;

/** The strip kernels need subgroups of 8 lanes: they are slower with 4. */
export const hasStrips = (gpu: Gpu): boolean => gpu.info.subgroupSize === 8;

/** Columns of a tile of the subgroup kernels, four a lane; a strip has twice as many. */
export const tileColumns = (gpu: Gpu): number => 4 * gpu.info.subgroupSize;

/** Workgroups for a product of so many rows and columns, in strips or in tiles. */
export function tilesOf(gpu: Gpu, strips: boolean, rows: number, columns: number): number {
  const width = tileColumns(gpu);
  return strips
    ? Math.ceil(rows / STRIP_ROWS) * Math.ceil(columns / (2 * width))
    : Math.ceil(rows / ROWS) * Math.ceil(columns / width);
}

/** Inputs of a block of the subgroup kernels, whose sum is one term of the total: K_BLOCK of shaders/lib/tile.wgsl, strip.wgsl. */
export const K_BLOCK = 16;
