/** Reads what goes into a LLaVA model, and turns ids back into text. */
import { UserError } from "../errors.ts";
import type { Folder } from "../files.ts";
import { readImageProcessor } from "../image.ts";
import { checkIds, type Inputs, runOf } from "../inputs.ts";
import type { Input } from "../model.ts";
import { pictureKey, readInputs, readPicture } from "../picture.ts";
import { type EncodedText, readTokenizer } from "../tokenizer.ts";
import type { LlavaConfig } from "./config.ts";
import { positions } from "./llava.ts";

/** The processor and the tokenizer out of the model's folder. */
export async function openLlavaInputs(folder: Folder, config: LlavaConfig): Promise<Inputs> {
  const processor = readImageProcessor(await folder.json("preprocessor_config.json"));
  const tokenizer = readTokenizer(await folder.json("tokenizer.json"), await folder.json("tokenizer_config.json"));
  const side = config.vision.imageSize;
  const padId = tokenizer.tokenToId("<pad>");
  if (padId === undefined) throw new UserError(`${folder.name}/tokenizer.json: has no <pad>; is it a LLaVA tokenizer?`);
  const imageToken = tokenizer.idToToken(config.imageTokenId);
  if (imageToken !== "<image>") {
    throw new UserError(
      `${folder.name}/tokenizer.json: id ${config.imageTokenId} is ${JSON.stringify(imageToken) ?? "nothing"}, config.json takes it for <image>; take both from one model`,
    );
  }
  const pieces = (text: string) => {
    const { ids, spans } = tokenizer.encode(text);
    return ids.filter((_, i) => spans[i]!.end > 0);
  };
  return {
    padId,
    async read(source) {
      if ("inputs" in source) {
        const { pixels, ids } = await readInputs(source.inputs, side);
        return checked(pixels, ids, config);
      }
      if ("pixels" in source) return checked(source.pixels, source.ids, config);
      const text = tokenizer.encode(prompt(source.text));
      return { ...checked(await readPicture(source.image, processor, side), text.ids, config), text };
    },
    decode: (ids) => tokenizer.decode([...ids]),
    findWord: ({ ids, text }, word) => wordIn(text, word) ?? runOf(ids, pieces(word)),
    pieces,
    tokenText: (id) => tokenizer.idToToken(id) ?? `#${id}`,
  };
}

/** LLaVA-1.5's form of a question; a text with <image> in it is a whole prompt already. */
export const prompt = (text: string): string => (text.includes("<image>") ? text : `USER: <image>\n${text} ASSISTANT:`);

/** The tokens of a word of the prompt, however the tokenizer cuts it there. */
function wordIn(text: EncodedText | undefined, word: string): number[] | undefined {
  const found = text?.words.find((candidate) => candidate.text === word);
  return found && Array.from({ length: found.count }, (_, i) => found.first + i);
}

function checked(pixels: Float32Array<ArrayBuffer>, given: readonly number[], config: LlavaConfig): Input {
  const { text, vision } = config;
  const ids = withOneImage(given, config);
  const total = positions(config, ids.length);
  if (total > text.maxPositionEmbeddings) {
    throw new UserError(
      `prompt: takes ${total} positions with the picture, expected ${text.maxPositionEmbeddings} at most; shorten it`,
    );
  }
  checkIds(ids, text.vocabSize);
  const picture = { at: ids.indexOf(config.imageTokenId), tokens: config.imageTokens };
  return { pixels, ids, imageKey: pictureKey(pixels, vision.imageSize), picture };
}

/** Newer processors write the picture's id as often as it has vectors: that run becomes one id. */
function withOneImage(ids: readonly number[], { imageTokenId, imageTokens }: LlavaConfig): readonly number[] {
  const count = ids.filter((id) => id === imageTokenId).length;
  const first = ids.indexOf(imageTokenId);
  if (count === 1) return ids;
  if (count === imageTokens && ids.lastIndexOf(imageTokenId) === first + count - 1)
    return [...ids.slice(0, first + 1), ...ids.slice(first + count)];
  throw new UserError(
    `prompt: ${count} <image> tokens, but the picture has ${imageTokens} features; expected one <image>, or ${imageTokens} in a row`,
  );
}
