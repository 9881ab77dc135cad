import { expect, test, vi } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import { emptyMatrix } from "../../src/kernels/matrix.ts";
import { matmulSpeed } from "../../src/kernels/speed.ts";
import { anyGpu } from "./device.ts";

test("the speed is that of the shape which most matrices have; measured again, it takes no more memory", async () => {
  const dry = openDry(anyGpu.info);
  const shapes = [
    [128, 64],
    [32, 48],
    [32, 48],
    [4096, 16],
  ] as const;
  const matrices = shapes.map(([outputs, inputs]) => emptyMatrix(dry, "weight", outputs, inputs, "float16"));
  const run = vi.spyOn(anyGpu, "run");
  const speed = await matmulSpeed(anyGpu, matrices);
  expect(speed).toBeGreaterThan(1e6);
  expect(speed).toBeLessThan(1e15);
  const sizes = run.mock.calls.map(([, , , params]) => params as Record<string, number>);
  run.mockRestore();
  expect(sizes[0]).toMatchObject({ vectors: 64, n: 32, k: 48 });
  for (const size of sizes) expect(size).toMatchObject({ n: 32, k: 48 });
  const { bytes } = anyGpu;
  await matmulSpeed(anyGpu, matrices);
  expect(anyGpu.bytes).toBe(bytes);
});
