import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFolder } from "#files";
import { openGpu } from "#gpu";
import type { Gpu, Tier } from "../../src/kernels/gpu.ts";
import { openCheckpoint } from "../../src/models/checkpoint.ts";
import { newerNames } from "../../src/models/llava/config.ts";
import { findModel, loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { saveSafetensors } from "../../src/models/save-safetensors.node.ts";
import type { Tap } from "../../src/models/scope.ts";
import { claimedBound, largestError, openTruth, pictures, readCase } from "./fixtures.ts";

describe.each<{ tier: Tier }>([{ tier: "D" }, { tier: "B" }])("the miniature LLaVA on tier $tier", ({ tier }) => {
  let gpu: Gpu;
  let model: Model;
  beforeAll(async () => {
    gpu = await openGpu({ tier, toggles: "safe" });
    model = await loadModel(gpu, "llava-mini");
  });
  afterAll(() => {
    model.close();
    gpu.close();
  });

  const input = ({ image, text }: { image: string; text: string }) =>
    model.input({ image: `${pictures}/${image}`, text });

  test.for(tier === "D" ? [0, 1, 2] : [0])(
    "case %i: every site is within twice PyTorch float32's own error of the float64 truth",
    async (number) => {
      const stored = readCase(number, "llava");
      const truth = await openTruth(number, "llava");
      const { activations } = await model.run(await input(stored), { capture: Object.keys(stored.sites) });
      const outside: string[] = [];
      let worst = { name: "", ratio: 0 };
      for (const [name, site] of Object.entries(stored.sites)) {
        expect(activations.get(name)!.shape, name).toEqual(site.shape);
        if (!truth.tensors.has(name)) continue;
        const error = largestError(activations.get(name)!.data, await truth.f32(name));
        const ratio = error / (claimedBound(site) / 2);
        if (!(ratio <= 2)) outside.push(`${name}: ${error}, ${ratio.toFixed(2)} times PyTorch's own`);
        if (ratio > worst.ratio) worst = { name, ratio };
      }
      console.log(
        `${gpu.info.name}, tier ${tier}, case ${number}: ${truth.tensors.size} sites, worst ${worst.ratio.toFixed(2)} times PyTorch's own error at ${worst.name}`,
      );
      await truth.close();
      expect(outside, "the first site that differs comes first").toEqual([]);
    },
  );

  test.for(tier === "D" ? [0, 1, 2] : [])("case %i: the same ids, the same answer", async (number) => {
    const stored = readCase(number, "llava");
    const made = await input(stored);
    expect(made.ids).toEqual(stored.input_ids);
    expect(await model.generate(made)).toEqual({ ids: stored.generated_ids, text: stored.answer });
  });

  test.runIf(tier === "D")("capturing changes no bit", async () => {
    const made = await input(readCase(1, "llava"));
    const alone = await model.run(made);
    const watched = await model.run(made, { capture: ["**"] });
    expect(watched.logits).toEqual(alone.logits);
    const all = watched.activations.get("language_model.lm_head")!.data;
    expect(all.slice(-model.vocabSize)).toEqual(alone.logits);
  });

  test.runIf(tier === "D")("the forward visits the declared sites, in their order", async () => {
    const visited: string[] = [];
    const tap: Tap = {
      watches: () => true,
      site(name, activation) {
        visited.push(name);
        return activation;
      },
    };
    gpu.release(model.forward(await input(readCase(0, "llava")), tap));
    expect(visited).toEqual(model.sites.map(({ name }) => name));
  });

  test.runIf(tier === "D")("the heads' results add up to the attention's output", async () => {
    const at = "language_model.model.layers.3.self_attn";
    const { activations } = await model.run(await input(readCase(0, "llava")), { capture: [`${at}.result`, at] });
    const { data, shape } = activations.get(`${at}.result`)!;
    const [, heads, tokens, width] = shape as [number, number, number, number];
    const sums = Float64Array.from({ length: tokens * width }, (_, i) =>
      Array.from({ length: heads }, (_, h) => data[h * tokens * width + i]!).reduce((a, b) => a + b),
    );
    expect(largestError(activations.get(at)!.data, sums)).toBeLessThan(4e-6);
  });

  test.runIf(tier === "D")("a checkpoint with the newer names is the same model", async () => {
    const folder = mkdtempSync(join(tmpdir(), "notice-llava-"));
    try {
      await writeNewer(findModel("llava-mini"), folder);
      const newer = await loadModel(gpu, folder);
      const made = await input(readCase(2, "llava"));
      expect((await newer.run(made)).logits).toEqual((await model.run(made)).logits);
      newer.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** The model under the prefixes that transformers writes since 4.52. */
async function writeNewer(from: string, to: string): Promise<void> {
  for (const file of ["config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"]) {
    copyFileSync(join(from, file), join(to, file));
  }
  const checkpoint = await openCheckpoint(await openFolder(from));
  const tensors = [...checkpoint.tensors.values()].map(async ({ name, dtype, shape }) => {
    const [newer] = newerNames(name);
    expect(newer, name).toMatch(/^(lm_head|model\.(language_model|vision_tower|multi_modal_projector))\./);
    return { name: newer!, dtype, shape, data: await checkpoint.read(name) };
  });
  await saveSafetensors(join(to, "model.safetensors"), await Promise.all(tensors), { format: "pt" });
  await checkpoint.close();
}
