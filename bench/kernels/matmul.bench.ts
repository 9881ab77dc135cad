/** Tier D against the plain shared-memory kernel of tier B, in turns, so that a busy machine slows both. */
import type { Gpu } from "../../src/kernels/gpu.ts";
import { emptyMatrix, matmul, writeRows } from "../../src/kernels/matmul.ts";
import { check, deviceTime, openBench, pattern } from "./device.ts";

const ROUNDS = 5;
const gpus = [await openBench("matmul", "D"), await openBench("matmul", "B")] as const;

/** x W^T where every weight is 1/2 and x repeats -3 .. 3. */
function prepare(gpu: Gpu, vectors: number, inputs: number, outputs: number, half: boolean) {
  const weight = emptyMatrix(gpu, "weight", outputs, inputs, half);
  const words = new Uint32Array((outputs * inputs) / (half ? 2 : 1)).fill(half ? 0x3800_3800 : 0x3f00_0000);
  writeRows(gpu, weight, 0, words);
  const x = pattern(gpu, "x", [vectors, inputs]);
  const bias = pattern(gpu, "bias", [outputs]);
  return () => matmul(gpu, "y", x, weight, bias);
}

for (const [vectors, inputs, outputs] of [
  [577, 768, 3072],
  [577, 768, 768],
] as const) {
  for (const half of [false, true]) {
    const works = gpus.map((gpu) => prepare(gpu, vectors, inputs, outputs, half));
    const sum = Array.from({ length: inputs }, (_, i) => (i % 7) - 3).reduce((a, b) => a + b);
    for (const [i, gpu] of gpus.entries()) await check(gpu, works[i]!, 0, sum / 2 - 3);
    const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, gpu] of gpus.entries()) best[i] = Math.min(best[i]!, await deviceTime(gpu, works[i]!));
    }
    const [d, b] = best as [number, number];
    const rate = (milliseconds: number) =>
      `${milliseconds.toFixed(1)} ms ${((2 * vectors * inputs * outputs) / milliseconds / 1e6).toFixed(1)} GFLOP/s`;
    const name = `${vectors} x ${inputs} x ${outputs}, float${half ? 16 : 32}`;
    console.log(`  ${name.padEnd(28)} D ${rate(d)}   B ${rate(b)}   D is ${(b / d).toFixed(1)} times as fast`);
  }
}
