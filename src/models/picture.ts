/** What a model reads as numbers: a picture file through its processor, or tensors that were made elsewhere. */
import { decodeImage } from "#decode";
import { openFile } from "#files";
import { openSafetensors } from "./checkpoint.ts";
import { UserError } from "./errors.ts";
import { hashOf } from "./hash.ts";
import { type ImageProcessor, processImage } from "./image.ts";

/** [3, side, side] */
type PixelValues = Float32Array<ArrayBuffer>;

/** @throws UserError where the processor makes pictures of another size than the model reads */
export async function readPicture(path: string, processor: ImageProcessor, side: number): Promise<PixelValues> {
  const source = await openFile(path);
  try {
    const picture = await decodeImage(await source.read(0, source.size), path);
    const { pixels, shape } = processImage(processor, picture);
    if (shape[2] !== side || shape[3] !== side) {
      throw new UserError(
        `preprocessor_config.json makes pictures of ${shape[3]} x ${shape[2]}, config.json asks for ${side} x ${side}`,
      );
    }
    return pixels;
  } finally {
    await source.close();
  }
}

/** `pixel_values` and `input_ids` of a safetensors file. */
export async function readInputs(path: string, side: number): Promise<{ pixels: PixelValues; ids: number[] }> {
  const file = await openSafetensors(await openFile(path));
  try {
    const shape = file.tensors.get("pixel_values")?.shape;
    if (shape?.join() !== `1,3,${side},${side}`) {
      throw new UserError(
        `${path}: pixel_values has shape [${shape?.join(", ") ?? "nothing"}], expected [1, 3, ${side}, ${side}]`,
      );
    }
    const ids = file.tensors.get("input_ids")?.shape;
    if (ids?.length !== 2 || ids[0] !== 1) {
      throw new UserError(`${path}: input_ids has shape [${ids?.join(", ") ?? "nothing"}], expected [1, T]`);
    }
    return { pixels: await file.f32("pixel_values"), ids: await file.integers("input_ids") };
  } finally {
    await file.close();
  }
}

/** The name of a picture by its content. */
export function pictureKey(pixels: PixelValues, side: number): string {
  if (pixels.length !== 3 * side * side) {
    throw new UserError(`pixel_values: got ${pixels.length} numbers, expected 3 x ${side} x ${side}`);
  }
  return hashOf(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength));
}
