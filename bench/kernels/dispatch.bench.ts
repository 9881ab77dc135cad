/**
 * What a dispatch costs on the host: pipeline and bind group out of their caches, parameters, command; or from a recording.
 * On Dawn's null backend, which computes nothing: a software adapter would take the processor meanwhile.
 */
import { Bench } from "tinybench";
import { create, globals } from "webgpu";
import { add } from "../../src/kernels/add.ts";
import { DeviceGpu } from "../../src/kernels/device-gpu.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import type { Tensor } from "../../src/kernels/tensor.ts";
import { pattern } from "./device.ts";

const COUNT = 2000;
const dawn = create(["backend=null", "enable-dawn-features=skip_validation"]);
const gpu = await openNull();
console.log("dispatch on Dawn's null backend");
const [a, b] = [pattern(gpu, "a", [1, 8]), pattern(gpu, "b", [1, 8])];
const recorder = gpu.recorder();

/** As many sums, each of the one before with itself. */
function chain(): Tensor {
  let y = add(gpu, "y", a, b);
  for (let i = 1; i < COUNT; i++) y = gpu.frame(() => add(gpu, "y", y, y));
  return y;
}

const cases = {
  "encode and submit": () => gpu.frame(chain),
  "from a recording": () => recorder.run("chain", [a, b], chain),
};

const bench = new Bench({ iterations: 15, time: 0, warmupIterations: 2, warmupTime: 0, throws: true });
for (const [name, work] of Object.entries(cases)) {
  bench.add(
    name,
    async () => {
      await gpu.finish();
      const begin = bench.now();
      gpu.release(work());
      gpu.submit();
      return { overriddenDuration: bench.now() - begin };
    },
    { async: true },
  );
}
for (const { name, result } of await bench.run()) {
  if (!("latency" in result)) continue;
  const microseconds = (1000 * result.latency.p50) / COUNT;
  console.log(`  add of 8 elements, ${name.padEnd(20)} ${microseconds.toFixed(2).padStart(18)} us per dispatch`);
}

async function openNull(): Promise<Gpu> {
  Object.assign(globalThis, globals);
  const device = await (await dawn.requestAdapter())!.requestDevice();
  const sizes = { subgroupSize: 1, maxBindingBytes: 2 ** 27, maxTextureSide: 8192, memoryBytes: 2 ** 30 };
  const info = { name: "null", kind: "hardware", tier: "B", features: [], halfFlushes: false, ...sizes } as const;
  return new DeviceGpu(device, info, { settle: (promise) => promise });
}
