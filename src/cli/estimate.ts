/** What a sweep will cost, for people: printed before it runs, and alone by --dry-run. */
import { mebibytes } from "../kernels/arena.ts";
import type { Gpu } from "../kernels/gpu.ts";
import type { Matrix } from "../kernels/matrix.ts";
import { matmulSpeed } from "../kernels/speed.ts";
import type { SweepCost } from "../patching/cost.ts";

export interface Estimate extends SweepCost {
  /** Bytes that the device may hold. */
  readonly memoryBytes: number;
  readonly fits: boolean;
  /** If everything ran as fast as matrix products of the model's shape. */
  readonly seconds: number;
  /** Multiply-adds a second of those, 2 each. */
  readonly speed: number;
}

export async function estimate(gpu: Gpu, cost: SweepCost, matrices: readonly Matrix[]): Promise<Estimate> {
  const { memoryBytes } = gpu.info;
  const speed = await matmulSpeed(gpu, matrices);
  return { ...cost, memoryBytes, fits: cost.bytes <= memoryBytes, speed, seconds: cost.flop / speed };
}

export function estimateLines(found: Estimate): string[] {
  const { sweeps, counted, cells, flop, ideal, bytes, weightBytes, memoryBytes, fits, seconds, speed, failed } = found;
  const from = counted < sweeps ? `, counted on ${counted} of them` : "";
  const failures = failed === undefined ? [] : [`failing     some samples cannot be swept; the first: ${failed}`];
  if (counted === 0) return failures;
  return [
    `cells       ${cells.toLocaleString("en")} in ${sweeps.toLocaleString("en")} sweeps${from}`,
    `arithmetic  ${flops(flop)}, ${(flop / ideal).toFixed(2)} times the least that is exact`,
    `memory      ${mebibytes(bytes)} on the device (${mebibytes(weightBytes)} of weights), ${fits ? "" : "MORE THAN "}${mebibytes(memoryBytes)} may be used`,
    `time        about ${duration(seconds)} at ${flops(speed)}/s, what matrix products of the model's shape do here`,
    ...failures,
    ...(fits
      ? []
      : ["next        take a float16 checkpoint or a machine with more memory, or raise NOTICE_MEMORY (in bytes)"]),
  ];
}

/** `4.59 TFLOP`: three digits. */
export function flops(amount: number): string {
  const units = ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"];
  const rounded = Number(amount.toPrecision(3));
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(rounded, 1)) / 3)));
  return `${(amount / 1000 ** power).toPrecision(3)} ${units[power]}`;
}

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toPrecision(3)} h`;
}
