import { expect, test } from "vitest";
import { openGpu } from "#gpu";
import { type LoadOptions, loadModel } from "../../src/models/load.ts";
import { fillWithNaN } from "./filled-device.ts";
import { pictures } from "./fixtures.ts";

const models: { name: string; options: LoadOptions }[] = [
  { name: "blip-mini", options: {} },
  { name: "llava-mini", options: {} },
  { name: "llava-mini", options: { quantize: "nf4" } },
];

test.for(models)("no memory is read before it is written: $name $options", async ({ name, options }) => {
  const plain = await forward(name, options);
  const restore = fillWithNaN();
  const filled = await forward(name, options).finally(restore);
  expect(filled.fresh).toBeNaN();
  expect(filled.answer).toEqual(plain.answer);
  expect(filled.activations.size).toBeGreaterThan(200);
  for (const [site, { data }] of filled.activations)
    expect(Buffer.from(data.buffer).equals(Buffer.from(plain.activations.get(site)!.data.buffer)), site).toBe(true);
});

/** All sites, a longer answer, and what a device has in memory at first. */
async function forward(name: string, options: LoadOptions) {
  const gpu = await openGpu({ toggles: "safe" });
  const fresh = (await gpu.read(gpu.tensor("fresh", [4])))[0];
  const model = await loadModel(gpu, name, options);
  const input = await model.input({
    image: `${pictures}/mit_states/images/red heart/1.jpg`,
    text: "Is this heart red or blue?",
  });
  const { activations } = await model.run(input, { capture: ["**"] });
  const answer = await model.generate(input, { maxTokens: 4 });
  model.close();
  gpu.close();
  return { fresh, activations, answer };
}
