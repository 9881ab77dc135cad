/** What this adapter can do at best, to hold every other figure against. */
import { openBench } from "../kernels/device.ts";
import { copyBandwidth, fmaPeak } from "./limits.ts";

const gpu = await openBench("limits");
console.log(`  multiply-adds in registers ${(await fmaPeak(gpu)).toFixed(1).padStart(21)} GFLOP/s`);
console.log(`  copy, read and written ${(await copyBandwidth(gpu)).toFixed(1).padStart(25)} GB/s`);
