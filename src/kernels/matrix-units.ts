/** Units that multiply matrices of 16 x 16 float16 numbers with float32 sums, in subgroups of 32 lanes. */
import { MATRIX_UNITS } from "./gpu.ts";

interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Toggles of Dawn without which no adapter shows its units. */
export const unitToggles = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia"];

/** Has the adapter units in the one form that shaders/matmul-matrix.wgsl uses? */
export function hasMatrixUnits({ features, info }: Pick<GPUAdapter, "features" | "info">): boolean {
  const configs = (info as { subgroupMatrixConfigs?: Iterable<MatrixConfig> }).subgroupMatrixConfigs ?? [];
  const lanes = [info.subgroupMinSize, info.subgroupMaxSize];
  return (
    [MATRIX_UNITS, "shader-f16", "subgroups"].every((name) => features.has(name)) &&
    lanes.every((count) => count === 32) &&
    [...configs].some(
      ({ componentType, resultComponentType, M, N, K }) =>
        componentType === "f16" && resultComponentType === "f32" && [M, N, K].every((side) => side === 16),
    )
  );
}
