/** Benches check, then time: median of GPU timestamps through tinybench, and what it means in GB/s or GFLOP/s. */
import { Bench } from "tinybench";
import { openGpu } from "#gpu";
import type { Gpu, Tier } from "../../src/kernels/gpu.ts";
import type { Tensor } from "../../src/kernels/tensor.ts";

export interface Case {
  readonly name: string;
  readonly work: () => unknown;
  /** Read and written, each once. */
  readonly bytes?: number;
  /** Multiply-adds count 2. */
  readonly flop?: number;
}

/** The device of a bench: the one that NOTICE_ADAPTER and NOTICE_TIER ask for. */
export async function openBench(kernel: string, tier?: Tier): Promise<Gpu> {
  const gpu = await openGpu(tier ? { tier } : {});
  console.log(`${kernel} on ${gpu.info.name}, tier ${gpu.info.tier}`);
  return gpu;
}

/** Milliseconds that the device takes for the dispatches of `work`. */
export async function deviceTime(gpu: Gpu, work: () => unknown): Promise<number> {
  const nanoseconds = await gpu.time(() => {
    gpu.frame(() => {
      work();
    });
  });
  return nanoseconds / 1e6;
}

/** Prints the median of each case. */
export async function measure(gpu: Gpu, cases: readonly Case[], iterations = 15): Promise<void> {
  const bench = new Bench({ iterations, time: 0, warmupIterations: 2, warmupTime: 0, throws: true });
  for (const { name, work } of cases) {
    bench.add(name, async () => ({ overriddenDuration: await deviceTime(gpu, work) }), { async: true });
  }
  for (const [i, { result }] of (await bench.run()).entries()) {
    if (!("latency" in result)) continue;
    const { name, bytes, flop } = cases[i]!;
    const milliseconds = result.latency.p50;
    const rate = flop ? `${perSecond(flop, milliseconds)} GFLOP/s` : `${perSecond(bytes ?? 0, milliseconds)} GB/s`;
    console.log(`  ${name.padEnd(40)} ${milliseconds.toFixed(3).padStart(9)} ms ${rate.padStart(18)}`);
  }
}

const perSecond = (amount: number, milliseconds: number): string => (amount / milliseconds / 1e6).toFixed(2);

/** Stops a bench whose kernel computes something else at the element that is looked at. */
export async function check(
  gpu: Gpu,
  work: () => Tensor,
  element: number,
  expected: number,
  tolerance = 1e-5,
): Promise<void> {
  const y = gpu.frame(work);
  const got = (await gpu.read(y))[element]!;
  gpu.release(y);
  if (Math.abs(got - expected) <= tolerance * Math.max(1, Math.abs(expected))) return;
  throw new Error(`${y.label}: element ${element} is ${got}, expected ${expected}`);
}

/** A tensor that stays, with small whole numbers in a pattern of period 7: -3 .. 3. */
export function pattern(gpu: Gpu, label: string, shape: readonly number[]): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return gpu.upload(
    label,
    shape,
    Float32Array.from({ length: count }, (_, i) => patternAt(i)),
  );
}

export const patternAt = (i: number): number => (i % 7) - 3;
