import { layerNorm } from "../../src/kernels/layer-norm.ts";
import { check, measure, openBench, pattern } from "./device.ts";

const gpu = await openBench("layer-norm");
const x = pattern(gpu, "x", [1, 577, 768]);
const residual = pattern(gpu, "residual", [1, 577, 768]);
const weight = gpu.upload("weight", [768], new Float32Array(768).fill(1));
const bias = gpu.upload("bias", [768], new Float32Array(768));
const first = Array.from({ length: 768 }, (_, i) => (i % 7) - 3);
const mean = first.reduce((a, b) => a + b) / 768;
const variance = first.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 768;

await check(gpu, () => layerNorm(gpu, "y", x, weight, bias, 1e-5), 0, (-3 - mean) / Math.sqrt(variance + 1e-5));
await measure(gpu, [
  { name: "577 x 768", work: () => layerNorm(gpu, "y", x, weight, bias, 1e-5), bytes: 2 * 577 * 768 * 4 },
  {
    name: "577 x 768 + residual",
    work: () => layerNorm(gpu, "y", x, weight, bias, 1e-5, residual),
    bytes: 3 * 577 * 768 * 4,
  },
]);
