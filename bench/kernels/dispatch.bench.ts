/** What a dispatch costs on the host: pipeline and bind group out of their caches, parameters, command. */
import { Bench } from "tinybench";
import { add } from "../../src/kernels/add.ts";
import { openBench, pattern } from "./device.ts";

const COUNT = 2000;
const gpu = await openBench("dispatch");
const [a, b] = [pattern(gpu, "a", [1, 8]), pattern(gpu, "b", [1, 8])];

const bench = new Bench({ iterations: 15, time: 0, warmupIterations: 2, warmupTime: 0, throws: true });
bench.add("encode and submit", async () => {
  await gpu.finish();
  const begin = bench.now();
  for (let i = 0; i < COUNT; i++) {
    gpu.frame(() => {
      add(gpu, "y", a, b);
    });
  }
  gpu.submit();
  return { overriddenDuration: bench.now() - begin };
});
const [task] = await bench.run();
if (task && "latency" in task.result) {
  console.log(
    `  add of 8 elements ${((1000 * task.result.latency.p50) / COUNT).toFixed(2).padStart(34)} us per dispatch`,
  );
}
