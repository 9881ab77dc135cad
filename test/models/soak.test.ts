import { expect, test } from "vitest";
import { openGpu } from "#gpu";
import { loadModel } from "../../src/models/load.ts";
import { untapped } from "../../src/models/scope.ts";
import { pictures } from "./fixtures.ts";

/** Few by default, for speed; 1,000 in `npm run test:long`. */
const FORWARDS = process.env.NOTICE_LONG ? 1000 : 40;

test(`${FORWARDS} forwards take no more memory than one`, { timeout: 600_000 }, async () => {
  const gpu = await openGpu({ toggles: "safe" });
  const model = await loadModel(gpu, "blip-mini");
  const image = (name: string) => `${pictures}/mit_states/images/${name}`;
  const inputs = await Promise.all(
    ["blue heart/2.jpg", "red heart/1.jpg"].map((name) =>
      model.input({ image: image(name), text: "Is this heart red or blue?" }),
    ),
  );
  const forward = async (i: number) => {
    const logits = model.forward(inputs[i % 2]!, untapped);
    const values = await gpu.read(logits);
    gpu.release(logits);
    return values;
  };
  const first = [await forward(0), await forward(1)];
  for (let i = 0; i < FORWARDS / 10; i++) await forward(i); // so that the compiler and the collector have settled
  const { bytes } = gpu;
  const before = resident();
  for (let i = 0; i < FORWARDS; i++) {
    const again = await forward(i);
    expect(gpu.bytes).toBe(bytes);
    if (i >= FORWARDS - 2) expect(again).toEqual(first[i % 2]);
  }
  const perForward = (resident() - before) / FORWARDS;
  console.log(`${FORWARDS} forwards: ${(perForward / 1024).toFixed(1)} KiB of resident memory each`);
  if (FORWARDS >= 1000) expect(perForward).toBeLessThan(10 * 1024);
  model.close();
  gpu.close();
  expect(gpu.bytes).toBe(0);
});

function resident(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}
