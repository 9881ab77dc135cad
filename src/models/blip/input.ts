/** Reads what goes into a BLIP model, and turns ids back into text. */
import { UserError } from "../errors.ts";
import type { Folder } from "../files.ts";
import { readImageProcessor } from "../image.ts";
import { checkIds, type Inputs, runOf } from "../inputs.ts";
import type { Input } from "../model.ts";
import { pictureKey, readInputs, readPicture } from "../picture.ts";
import { readTokenizer } from "../tokenizer.ts";
import type { BlipConfig } from "./config.ts";

/** The processor and the tokenizer out of the model's folder. */
export async function openBlipInputs(folder: Folder, config: BlipConfig): Promise<Inputs> {
  const processor = readImageProcessor(await folder.json("preprocessor_config.json"));
  const tokenizer = readTokenizer(await folder.json("tokenizer.json"), await folder.json("tokenizer_config.json"));
  const side = config.vision.imageSize;
  const padId = tokenizer.tokenToId("[PAD]");
  if (padId === undefined) throw new UserError(`${folder.name}/tokenizer.json: has no [PAD]; is it a BLIP tokenizer?`);
  const pieces = (text: string) => tokenizer.encode(text).ids.slice(1, -1); // without [CLS] and [SEP]
  return {
    padId,
    async read(source) {
      if ("inputs" in source) {
        const { pixels, ids } = await readInputs(source.inputs, side);
        return checked(pixels, ids, config);
      }
      if ("pixels" in source) return checked(source.pixels, source.ids, config);
      const text = tokenizer.encode(source.text);
      return { ...checked(await readPicture(source.image, processor, side), text.ids, config), text };
    },
    decode: (ids) => tokenizer.decode([...ids]),
    findWord: ({ ids }, word) => runOf(ids, pieces(word)),
    pieces,
    tokenText: (id) => tokenizer.idToToken(id) ?? `#${id}`,
  };
}

function checked(pixels: Float32Array<ArrayBuffer>, ids: readonly number[], { text, vision }: BlipConfig): Input {
  if (ids.length === 0 || ids.length > text.maxPositionEmbeddings) {
    throw new UserError(`question: got ${ids.length} tokens, expected 1 to ${text.maxPositionEmbeddings}; shorten it`);
  }
  checkIds(ids, text.vocabSize);
  return { pixels, ids, imageKey: pictureKey(pixels, vision.imageSize) };
}
