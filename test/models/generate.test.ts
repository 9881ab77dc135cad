import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openGpu } from "#gpu";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { findModel, loadModel } from "../../src/models/load.ts";
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

test.for(["blip-mini", "llava-mini"])(
  "%s: other pictures and questions of the same length get their own answers, from recordings too",
  async (name) => {
    const model = await loadModel(gpu, name);
    const inputs = await Promise.all(
      [
        question,
        { image: `${pictures}/mit_states/images/blue heart/1.jpg`, text: question.text },
        { image: question.image, text: "Is this moon grey or blue?" },
      ].map((one) => model.input(one)),
    );
    const watched = [];
    for (const input of inputs) watched.push((await model.run(input, { capture: ["logits"] })).logits);
    expect(watched[1]).not.toEqual(watched[0]);
    expect(watched[2]).not.toEqual(watched[0]);
    for (const i of [0, 1, 0, 2, 2, 1]) expect((await model.run(inputs[i]!)).logits).toEqual(watched[i]);
    const answers = [];
    for (const input of inputs) answers.push((await model.generate(input)).ids);
    for (const i of [2, 0, 1]) expect((await model.generate(inputs[i]!)).ids).toEqual(answers[i]);
    model.close();
  },
);

test("generation_config.json ends LLaVA's answer; BLIP's ends at its separator", async () => {
  for (const name of ["blip-mini", "llava-mini"]) {
    const folder = mkdtempSync(join(tmpdir(), "notice-ends-"));
    for (const file of readdirSync(findModel(name)).filter((file) => file !== "generation_config.json"))
      symlinkSync(resolve(findModel(name), file), join(folder, file));
    const answer = async (path: string) => {
      const model = await loadModel(gpu, path);
      const { ids } = await model.generate(await model.input(question));
      model.close();
      return ids;
    };
    const whole = await answer(name);
    writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: [0, whole.at(-2)!] }));
    expect(await answer(folder)).toEqual(name === "blip-mini" ? whole : whole.slice(0, -1));
    rmSync(folder, { recursive: true });
  }
});
