/** Models of full size with synthetic weights (synthetic.ts), as folders in Hugging Face's layout. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { floatToHalf } from "../../src/models/half.ts";
import { findModel } from "../../src/models/load.ts";
import { saveSafetensors } from "../../src/models/save-safetensors.node.ts";
import { values } from "./synthetic.ts";

export const fixtures = "test/fixtures/fullsize";

type Shapes = Record<string, number[]>;

/** A BLIP-VQA-base. Inputs come as ids, so the tokenizer may be the miniature's. */
export async function writeBlip(folder: string, dtype: "F32" | "F16"): Promise<void> {
  copyFileSync(`${fixtures}/blip.config.json`, join(folder, "config.json"));
  for (const file of ["preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"])
    copyFileSync(join(findModel("blip-mini"), file), join(folder, file));
  await writeWeights(folder, "blip", dtype);
}

/** A LLaVA-1.5 with the 7B model's sizes and few layers. */
export async function writeLlava(folder: string): Promise<void> {
  copyFileSync(`${fixtures}/llava.config.json`, join(folder, "config.json"));
  copyFileSync("test/fixtures/tokenizers/llama.tokenizer.json", join(folder, "tokenizer.json"));
  copyFileSync(join(findModel("llava-mini"), "tokenizer_config.json"), join(folder, "tokenizer_config.json"));
  const processor = JSON.parse(readFileSync(join(findModel("llava-mini"), "preprocessor_config.json"), "utf8"));
  const size = { crop_size: { height: 336, width: 336 }, size: { shortest_edge: 336 } };
  writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify({ ...processor, ...size }));
  await writeWeights(folder, "llava", "F16");
}

async function writeWeights(folder: string, model: "blip" | "llava", dtype: "F32" | "F16"): Promise<void> {
  const manifest = JSON.parse(readFileSync(`${fixtures}/${model}.json`, "utf8"));
  const { seed } = manifest.case;
  const step = 2 ** 20;
  const tensors = Object.entries(manifest.tensors as Shapes).map(([name, shape]) => ({
    name,
    dtype,
    shape,
    data: function* pieces() {
      const count = shape.reduce((a, b) => a * b, 1);
      for (let first = 0; first < count; first += step) {
        const wide = values(name, shape, seed, first, Math.min(step, count - first));
        yield new Uint8Array((dtype === "F32" ? wide : Uint16Array.from(wide, floatToHalf)).buffer);
      }
    },
  }));
  await saveSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt" });
}
