/** Reads what goes into a BLIP model, and turns ids back into text. */
import { decodeImage } from "#decode";
import { openFile } from "#files";
import { openSafetensors } from "../checkpoint.ts";
import { UserError } from "../errors.ts";
import type { Folder } from "../files.ts";
import { hashOf } from "../hash.ts";
import { type ImageProcessor, processImage, readImageProcessor } from "../image.ts";
import type { Input, InputSource } from "../model.ts";
import { readTokenizer, type Tokenizer } from "../tokenizer.ts";
import type { BlipConfig } from "./config.ts";

export interface BlipInputs {
  read(source: InputSource): Promise<Input>;
  decode(ids: readonly number[]): string;
  findWord(input: Input, word: string): number[];
  pieces(text: string): number[];
  tokenText(id: number): string;
  readonly padId: number;
}

/** The processor and the tokenizer out of the model's folder. */
export async function openBlipInputs(folder: Folder, config: BlipConfig): Promise<BlipInputs> {
  const processor = readImageProcessor(await folder.json("preprocessor_config.json"));
  const tokenizer = readTokenizer(await folder.json("tokenizer.json"), await folder.json("tokenizer_config.json"));
  const { pixels, side } = await pictures(processor, config);
  const padId = tokenizer.tokenToId("[PAD]");
  if (padId === undefined) throw new UserError(`${folder.name}/tokenizer.json: has no [PAD]; is it a BLIP tokenizer?`);
  return {
    padId,
    async read(source) {
      if ("inputs" in source) return fromFile(source.inputs, side, config);
      if ("pixels" in source) return checked(source.pixels, source.ids, side, config);
      const text = tokenizer.encode(source.text);
      return { ...checked(await pixels(source.image), text.ids, side, config), text };
    },
    decode: (ids) => tokenizer.decode([...ids]),
    findWord: ({ ids }, word) => runOf(ids, withoutSpecial(tokenizer, word)),
    pieces: (text) => withoutSpecial(tokenizer, text),
    tokenText: (id) => tokenizer.idToToken(id) ?? `#${id}`,
  };
}

/** Where a run of ids first stands. */
function runOf(ids: readonly number[], run: readonly number[]): number[] {
  const first = ids.findIndex((_, at) => run.length > 0 && run.every((id, i) => ids[at + i] === id));
  return first === -1 ? [] : run.map((_, i) => first + i);
}

function withoutSpecial(tokenizer: Tokenizer, text: string): number[] {
  const { ids } = tokenizer.encode(text);
  return ids.slice(1, -1);
}

async function pictures(processor: ImageProcessor, { vision }: BlipConfig) {
  return {
    side: vision.imageSize,
    async pixels(path: string): Promise<Float32Array<ArrayBuffer>> {
      const source = await openFile(path);
      try {
        const picture = await decodeImage(await source.read(0, source.size), path);
        const { pixels, shape } = processImage(processor, picture);
        if (shape[2] !== vision.imageSize || shape[3] !== vision.imageSize) {
          throw new UserError(
            `preprocessor_config.json makes pictures of ${shape[3]} x ${shape[2]}, config.json asks for ${vision.imageSize} x ${vision.imageSize}`,
          );
        }
        return pixels;
      } finally {
        await source.close();
      }
    },
  };
}

async function fromFile(path: string, side: number, config: BlipConfig): Promise<Input> {
  const tensors = await openSafetensors(await openFile(path));
  try {
    const shape = tensors.tensors.get("pixel_values")?.shape;
    if (shape?.join() !== `1,3,${side},${side}`) {
      throw new UserError(
        `${path}: pixel_values has shape [${shape?.join(", ") ?? "nothing"}], expected [1, 3, ${side}, ${side}]`,
      );
    }
    const ids = tensors.tensors.get("input_ids")?.shape;
    if (ids?.length !== 2 || ids[0] !== 1) {
      throw new UserError(`${path}: input_ids has shape [${ids?.join(", ") ?? "nothing"}], expected [1, T]`);
    }
    return checked(await tensors.f32("pixel_values"), await tensors.integers("input_ids"), side, config);
  } finally {
    await tensors.close();
  }
}

function checked(pixels: Float32Array<ArrayBuffer>, ids: readonly number[], side: number, { text }: BlipConfig): Input {
  if (pixels.length !== 3 * side * side) {
    throw new UserError(`pixel_values: got ${pixels.length} numbers, expected 3 x ${side} x ${side}`);
  }
  if (ids.length === 0 || ids.length > text.maxPositionEmbeddings) {
    throw new UserError(`question: got ${ids.length} tokens, expected 1 to ${text.maxPositionEmbeddings}; shorten it`);
  }
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= text.vocabSize);
  if (wrong !== undefined)
    throw new UserError(`input_ids: got ${wrong}, expected whole numbers from 0 to ${text.vocabSize - 1}`);
  return { pixels, ids, imageKey: hashOf(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength)) };
}
