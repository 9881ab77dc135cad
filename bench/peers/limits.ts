/** What the adapter could do at best: multiply-adds in registers, and memory copied. Two tiny kernels measure it. */
import { readFileSync } from "node:fs";
import type { Gpu } from "../../src/kernels/gpu.ts";
import type { Shader } from "../../src/kernels/shader.ts";
import { deviceTime } from "../kernels/device.ts";

const code = (name: string) => readFileSync(new URL(`${name}.wgsl`, import.meta.url), "utf8");

const fmaShader: Shader<"y", { WG: number; ROUNDS: number; CHAINS: number }, never> = {
  name: "fma-peak",
  bindings: [{ name: "y", kind: "read_write" }],
  params: [],
  code: { plain: code("fma-peak") },
};

const copyShader: Shader<"x" | "y", { WG: number }, never> = {
  name: "copy",
  bindings: [
    { name: "x", kind: "read" },
    { name: "y", kind: "read_write" },
  ],
  params: [],
  code: { plain: code("copy") },
};

const WG = 64;
const GROUPS = 256;

/** GFLOP/s of multiply-adds (2 each) with nothing else to do: the best of 12, 24 and 32 chains. */
export async function fmaPeak(gpu: Gpu): Promise<number> {
  const rounds = gpu.info.kind === "hardware" ? 2048 : 128;
  const y = gpu.upload("y", [WG * GROUPS], new Float32Array(WG * GROUPS));
  let best = 0;
  for (const chains of [3, 6, 8]) {
    const flop = 2 * WG * GROUPS * rounds * 8 * 4 * chains;
    const work = () => gpu.run(fmaShader, { WG, ROUNDS: rounds, CHAINS: chains }, { y: y.memory }, {}, GROUPS);
    for (let i = 0; i < 5; i++) best = Math.max(best, flop / (await deviceTime(gpu, work)) / 1e6);
  }
  gpu.release(y);
  return best;
}

/** GB/s read and written by a copy of 64 MiB. */
export async function copyBandwidth(gpu: Gpu): Promise<number> {
  const count = 2 ** 24;
  const x = gpu.upload("x", [count], new Float32Array(count));
  const y = gpu.tensor("y", [count]);
  const work = () => gpu.run(copyShader, { WG: 256 }, { x: x.memory, y: y.memory }, {}, count / 4 / 256);
  let best = 0;
  for (let i = 0; i < 4; i++) best = Math.max(best, (8 * count) / (await deviceTime(gpu, work)) / 1e6);
  gpu.release(x, y);
  return best;
}
