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

/** `strips`, `tall`: 8 and 12 of shaders/lib/strip.wgsl, `panel`: lib/panel.wgsl, `subgroup`: lib/tile.wgsl. */
export type Form = "strips" | "tall" | "panel" | "subgroup";

export const tileSize = (gpu: Gpu, form: Form): TileSize =>
  ({
    strips: { rows: 24, columns: 64 },
    tall: { rows: 36, columns: 64 },
    panel: { rows: 64, columns: 64 },
    subgroup: { rows: 16, columns: 4 * gpu.info.subgroupSize },
  })[form];

/**
 * In which tiles attention makes so many columns for heads of `dim`: small ones for few, and in small models, which would
 * not earn back the time that the others compile for: seconds with strips, half of one with panels.
 */
export function attentionForm(gpu: Gpu, columns: number, dim: number): Exclude<Form, "tall"> {
  if (columns <= 32 || dim <= 32) return "subgroup";
  return hasStrips(gpu) ? "strips" : "panel";
}

/** Strips are for subgroups of 8 lanes, panels for those of 4: either is slower with the other. */
export const hasStrips = (gpu: Gpu): boolean => gpu.info.subgroupSize === 8;

/** Workgroups for a product of so many rows and columns. */
export const tilesOf = (tile: TileSize, rows: number, columns: number): number =>
  Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);

/**
 * Inputs that a form takes at a time: a block, whose sum is one term of the total (K_BLOCK of shaders/lib/tile.wgsl, strip.wgsl),
 * or the four of a panel. The last ones are cut off where there is no whole number of them.
 */
export const inputsOf = (form: Form): number => (form === "panel" ? 64 : 16);
