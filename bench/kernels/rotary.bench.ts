import { rotary, rotaryTables } from "../../src/kernels/rotary.ts";
import { check, measure, openBench, pattern } from "./device.ts";

const gpu = await openBench("rotary");
const x = pattern(gpu, "x", [1, 595, 32, 128]);
const tables = rotaryTables(0, 595, 128, 10_000);
const angles = { cos: gpu.upload("cos", [1, 595, 128], tables.cos), sin: gpu.upload("sin", [1, 595, 128], tables.sin) };

await check(gpu, () => rotary(gpu, "y", x, angles), 0, -3);
await measure(gpu, [
  { name: "595 x 32 heads of 128", work: () => rotary(gpu, "y", x, angles), bytes: 2 * 595 * 33 * 128 * 4 },
]);
