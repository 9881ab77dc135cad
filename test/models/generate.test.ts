import { afterAll, beforeAll, expect, test } from "vitest";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { loadModel } from "../../src/models/load.ts";
import { pictures } from "./fixtures.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ toggles: "safe" });
});
afterAll(() => gpu.close());

const question = { image: `${pictures}/mit_states/images/red heart/1.jpg`, text: "Is this heart red or blue?" };

test.for([
  ["blip-mini", "text_decoder.bert.encoder.layer.5.crossattention.self.probs", "vision_model.post_layernorm", 1],
  ["llava-mini", "language_model.model.layers.5.self_attn.probs", "multi_modal_projector", 0],
] as const)(
  "%s: captures at every step, and the captured logits choose the token",
  async ([name, site, ofPicture, start]) => {
    const model = await loadModel(gpu, name);
    const input = await model.input(question);
    const plain = await model.generate(input);
    expect(plain.steps).toBeUndefined();
    for (const capture of [
      ["logits", site],
      ["logits", site, ofPicture],
    ]) {
      const { ids, text, steps } = await model.generate(input, { capture });
      expect({ ids, text }).toEqual(plain);
      expect(steps).toHaveLength(ids.length - start);
      steps!.forEach((step, i) => {
        expect([...step.keys()].sort()).toEqual([...capture].sort());
        const { data } = step.get("logits")!;
        const last = data.subarray(data.length - model.vocabSize);
        expect(last.indexOf(Math.max(...last))).toBe(ids[start + i]);
      });
    }
    const short = await model.generate(input, { maxTokens: start + 1 });
    expect(short.ids).toEqual(plain.ids.slice(0, start + 1));
    await expect(model.generate(input, { capture: ["nothing"] })).rejects.toThrow(/matches nothing/);
    model.close();
  },
);
