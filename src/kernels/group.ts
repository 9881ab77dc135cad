import type { Gpu } from "./gpu.ts";

/** Invocations in a workgroup that reduces a vector: one subgroup in tier D, where barriers are dear; else 64. */
export const groupSize = (gpu: Gpu): number => (gpu.info.tier === "D" ? gpu.info.subgroupSize : 64);

/** Workgroups of 64 for one invocation an element. */
export const groupsOf = (count: number): number => Math.ceil(count / 64);

/** What one workgroup of a product makes. */
export interface TileSize {
  readonly rows: number;
  readonly columns: number;
}

/** shaders/lib/strip.wgsl, for subgroups of 8 lanes: they are slower with 4. */
export const STRIPS: TileSize = { rows: 24, columns: 64 };

/** shaders/lib/wide-tile.wgsl, for subgroups of 4 lanes. */
export const WIDE: TileSize = { rows: 16, columns: 64 };

/** shaders/lib/tile.wgsl, four columns a lane. */
export const tileOf = (gpu: Gpu): TileSize => ({ rows: 16, columns: 4 * gpu.info.subgroupSize });

export const hasStrips = (gpu: Gpu): boolean => gpu.info.subgroupSize === 8;

/** Workgroups for a product of so many rows and columns. */
export const tilesOf = (tile: TileSize, rows: number, columns: number): number =>
  Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);

/** Inputs of a block of the subgroup kernels, whose sum is one term of the total: K_BLOCK of shaders/lib/tile.wgsl, strip.wgsl. */
export const K_BLOCK = 16;
