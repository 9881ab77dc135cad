/**
 * The adapter's own tier (D on software, A on GPUs with matrix units) against the plain shared-memory kernel of tier B, and
 * the formats, in turns: a busy machine slows all alike.
 */
import { openGpu } from "#gpu";
import type { Gpu, Tier } from "../../src/kernels/gpu.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { emptyMatrix, type Format, writeRows } from "../../src/kernels/matrix.ts";
import { nf4Rows } from "../../src/models/nf4.ts";
import { check, deviceTime, openBench, pattern } from "./device.ts";

const ROUNDS = 5;
const formats = ["float32", "float16", "nf4", "nf4-half"] as const;
const own = await openGpu({ precision: "fast" });
console.log(`matmul on ${own.info.name}, tier ${own.info.tier}`);
const gpus = own.info.tier === "B" ? [own] : [own, await openBench("matmul", "B")];

/** Words of a matrix of 1/2. */
const halves: Readonly<Record<Format, (outputs: number, inputs: number) => Uint32Array>> = {
  float32: (outputs, inputs) => new Uint32Array(outputs * inputs).fill(0x3f00_0000),
  float16: (outputs, inputs) => new Uint32Array((outputs * inputs) / 2).fill(0x3800_3800),
  nf4: (outputs, inputs) => nf4Rows("weight", "nf4", inputs, new Float32Array(outputs * inputs).fill(0.5)),
  "nf4-half": (outputs, inputs) => nf4Rows("weight", "nf4-half", inputs, new Float32Array(outputs * inputs).fill(0.5)),
};

/** x W^T where every weight is 1/2 and x repeats -3 .. 3. */
function prepare(gpu: Gpu, vectors: number, inputs: number, outputs: number, format: Format) {
  const weight = emptyMatrix(gpu, "weight", outputs, inputs, format);
  writeRows(gpu, weight, 0, halves[format](outputs, inputs));
  const x = pattern(gpu, "x", [vectors, inputs]);
  const bias = pattern(gpu, "bias", [outputs]);
  return () => matmul(gpu, "y", x, weight, bias);
}

for (const [vectors, inputs, outputs] of [
  [577, 768, 3072],
  [577, 768, 768],
] as const) {
  const sum = Array.from({ length: inputs }, (_, i) => (i % 7) - 3).reduce((a, b) => a + b);
  const cases = formats.flatMap((format) =>
    gpus.map((gpu) => ({ format, gpu, work: prepare(gpu, vectors, inputs, outputs, format), best: Infinity })),
  );
  for (const { gpu, work } of cases) await check(gpu, work, 0, sum / 2 - 3);
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of cases) one.best = Math.min(one.best, await deviceTime(one.gpu, one.work));
  }
  const best = (format: Format, tier: Tier) =>
    cases.find((one) => one.format === format && one.gpu.info.tier === tier)!.best;
  const rate = (milliseconds: number) =>
    `${milliseconds.toFixed(1)} ms ${((2 * vectors * inputs * outputs) / milliseconds / 1e6).toFixed(1)} GFLOP/s`;
  for (const format of formats) {
    const { tier } = own.info;
    const [mine, b] = [best(format, tier), best(format, "B")];
    const name = `${vectors} x ${inputs} x ${outputs}, ${format}`;
    const ratios = `${tier} is ${(b / mine).toFixed(1)} times as fast, ${(best("float16", tier) / mine).toFixed(2)} times float16`;
    console.log(`  ${name.padEnd(28)} ${tier} ${rate(mine)}   B ${rate(b)}   ${ratios}`);
  }
}
