import { gelu } from "../../src/kernels/gelu.ts";
import { check, measure, openBench, pattern } from "./device.ts";

const gpu = await openBench("gelu");
const x = pattern(gpu, "x", [577, 3072]);

await check(gpu, () => gelu(gpu, "y", x), 4, 0.8413447460685429, 1e-6);
await measure(gpu, [{ name: "577 x 3072", work: () => gelu(gpu, "y", x), bytes: 2 * 577 * 3072 * 4 }]);
