import type { Bindable, Gpu } from "./gpu.ts";
import type { Shader } from "./shader.ts";
import type { Tensor } from "./tensor.ts";

/** Invocations in a workgroup that reduces a vector: one subgroup in tier D, where barriers are dear; else 64. */
export const groupSize = (gpu: Gpu): number => (gpu.info.tier === "D" ? gpu.info.subgroupSize : 64);

/** Workgroups of 64 for one invocation an element. */
export const groupsOf = (count: number): number => Math.ceil(count / 64);

/** What one workgroup of a product makes. */
export interface TileSize {
  readonly rows: number;
  readonly columns: number;
}

/** Panels (shaders/lib/panel.wgsl) are for subgroups of 4 lanes, strips for those of 8: either is slower with the other. */
export const hasPanels = (gpu: Gpu): boolean => gpu.info.subgroupSize === 4;

/** Of shaders/lib/strip.wgsl. */
export const stripsTile: TileSize = { rows: 12, columns: 64 };

/** Inputs of a block, whose sum is one term of the total: K_BLOCK of shaders/lib/strip.wgsl, panel.wgsl, few.wgsl. */
export const K_BLOCK = 16;

/** Of shaders/lib/panel.wgsl. */
const PANEL_ROWS = 128;

/** Sets of a panel's columns that products of so many columns fill. */
export const setsFor = (columns: number): 2 | 4 => (columns <= 32 ? 2 : 4);

/**
 * A panel of so many blocks and sets of columns; `inputs` where it may take them all. Weights that take much code to read (NF4)
 * are best read a block at a time.
 */
export function panelFor(BLOCKS: 1 | 2 | 4 | 8, SETS: 2 | 4, inputs = Number.POSITIVE_INFINITY) {
  return {
    overrides: { BLOCKS, SETS, SINGLE: inputs <= BLOCKS * K_BLOCK },
    tile: { rows: PANEL_ROWS, columns: 16 * SETS },
  };
}

/** Workgroups for a product of so many rows and columns. */
export const tilesOf = (tile: TileSize, rows: number, columns: number): number =>
  Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);

/** What makes one of attention's products in tier D. */
export interface AttentionKernels<Binding extends string, Overrides, Param extends string> {
  readonly panel: Shader<Binding, Overrides & { BLOCKS: number; SETS: number; SINGLE: boolean }, Param>;
  readonly strips: Shader<Binding, Overrides, Param>;
  /** One invocation makes `perInvocation` columns of a query. */
  readonly few: Shader<Binding, Overrides, Param>;
  readonly perInvocation: 1 | 4;
}

/** `times` products of so many rows and columns, which of scores are the sources, of mixes the head's `dim`. */
export interface AttentionSize {
  readonly times: number;
  readonly rows: number;
  readonly columns: number;
  readonly dim: number;
  readonly sources: number;
  /** Inputs of which a panel takes as many as it can; where it is absent, a block. */
  readonly panelInputs?: number;
}

/** So many sources of a single query, as an answer's token has, need no tile; it would be idle for the most part. */
const FEW = 64;

/** Blocks that take a head's elements at once, or a panel at a time. */
const blocksOf = (dim: number) => ([4, 2] as const).find((blocks) => dim % (blocks * K_BLOCK) === 0) ?? 1;

/**
 * `inTextures` are bindings that panels and strips read as texels. Small panels make few columns, and those of small models,
 * which would not earn back the time that others compile for.
 */
export function runAttention<Binding extends string, Overrides, Param extends string>(
  gpu: Gpu,
  kernels: AttentionKernels<Binding, Overrides, Param>,
  overrides: Overrides,
  bindings: Record<Binding, Bindable>,
  inTextures: Partial<Record<Binding, Tensor>>,
  params: Record<Param, number>,
  { times, rows, columns, dim, sources, panelInputs }: AttentionSize,
): void {
  if (rows === 1 && sources <= FEW) {
    const invocations = (times * rows * columns) / kernels.perInvocation;
    gpu.run(kernels.few, overrides, bindings, params, groupsOf(invocations));
    return;
  }
  const groups = (tile: TileSize) => tilesOf(tile, rows, columns) * times;
  const operands = Object.entries<Tensor>(inTextures as Record<string, Tensor>);
  const textures = Object.fromEntries(operands.map(([name, tensor], i) => [name, gpu.texels(tensor, i)]));
  const textured = { ...bindings, ...textures };
  if (hasPanels(gpu)) {
    const sets = dim <= 32 ? 2 : setsFor(columns);
    const panel = panelFor(panelInputs ? blocksOf(panelInputs) : 1, sets, panelInputs);
    gpu.run(kernels.panel, { ...overrides, ...panel.overrides }, textured, params, groups(panel.tile));
  } else gpu.run(kernels.strips, overrides, textured, params, groups(stripsTile));
}
