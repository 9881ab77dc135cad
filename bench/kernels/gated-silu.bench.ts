import { gated, gatedSilu, silu } from "../../src/kernels/gated-silu.ts";
import { check, measure, openBench, pattern } from "./device.ts";

const gpu = await openBench("gated-silu");
const [gate, up] = [pattern(gpu, "gate", [1, 595, 11_008]), pattern(gpu, "up", [1, 595, 11_008])];
const bytes = 595 * 11_008 * 4;

await check(gpu, () => gatedSilu(gpu, "y", gate, up), 6, 9 / (1 + Math.exp(-3)), 1e-6);
await measure(gpu, [
  { name: "595 x 11008", work: () => gatedSilu(gpu, "y", gate, up), bytes: 3 * bytes },
  { name: "in two steps", work: () => gated(gpu, "y", silu(gpu, "active", gate), up), bytes: 5 * bytes },
]);
