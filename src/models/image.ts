/**
 * From a picture to what the vision tower reads, as Hugging Face's slow image processors do it, bit for bit:
 * resize on 8-bit values, rescale in float64, normalise in float32. H, W the size that the model expects.
 */
import type { Pixels } from "./decode.ts";
import { UserError } from "./errors.ts";
import { type Filter, resize } from "./resize.ts";

export type { Pixels } from "./decode.ts";
export { type Filter, resize } from "./resize.ts";

/** What preprocessor_config.json says, in our words. */
export interface ImageProcessor {
  readonly type: "BlipImageProcessor" | "CLIPImageProcessor";
  /** The size that the model gets. */
  readonly height: number;
  readonly width: number;
  /** CLIP: the short edge is brought to this length and the centre cut out. BLIP: null, the picture is squashed. */
  readonly shortestEdge: number | null;
  readonly filter: Filter;
  readonly rescaleFactor: number;
  /** Of red, green, blue. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export interface ProcessedImage {
  /** [3, H, W] */
  readonly pixels: Float32Array<ArrayBuffer>;
  readonly shape: readonly [1, 3, number, number];
  /** [H, W, 3], the same picture before it was rescaled and normalised. */
  readonly rgb: Uint8Array;
}

/** Resizes, crops, rescales and normalises one picture. */
export function processImage(processor: ImageProcessor, pixels: Pixels): ProcessedImage {
  const { height, width } = processor;
  const rgb = toSize(processor, pixels).data;
  const size = height * width;
  const values = new Float32Array(3 * size);
  for (let channel = 0; channel < 3; channel++) {
    const table = channelTable(processor, channel);
    for (let i = 0, p = channel; i < size; i++, p += 3) values[channel * size + i] = table[rgb[p]!]!;
  }
  return { pixels: values, shape: [1, 3, height, width], rgb };
}

function toSize({ height, width, shortestEdge, filter }: ImageProcessor, pixels: Pixels): Pixels {
  if (shortestEdge === null) return resize(pixels, width, height, filter);
  const short = Math.min(pixels.width, pixels.height);
  const long = Math.floor((shortestEdge * Math.max(pixels.width, pixels.height)) / short);
  const [w, h] = pixels.width <= pixels.height ? [shortestEdge, long] : [long, shortestEdge];
  return resize(pixels, w, h, filter, {
    left: Math.floor((w - width) / 2),
    top: Math.floor((h - height) / 2),
    width,
    height,
  });
}

/** The normalised value of each of the 256 bytes: a product in float64, then a float32 difference and quotient. */
function channelTable({ rescaleFactor, mean, std }: ImageProcessor, channel: number): Float32Array {
  const { fround } = Math;
  const table = new Float32Array(256);
  for (let v = 0; v < 256; v++)
    table[v] = fround(fround(v * rescaleFactor) - fround(mean[channel]!)) / fround(std[channel]!);
  return table;
}

/** Reads preprocessor_config.json; a missing value, or one that this port does not compute, fails by name. */
export function readImageProcessor(json: unknown): ImageProcessor {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new UserError(`${file}: expected a JSON object; take the file that came with the model`);
  const config = json as Record<string, unknown>;
  const type = config.image_processor_type;
  if (type !== "BlipImageProcessor" && type !== "CLIPImageProcessor")
    fail("image_processor_type", type, '"BlipImageProcessor" or "CLIPImageProcessor"');
  for (const step of ["do_resize", "do_rescale", "do_normalize"])
    if (config[step] !== true) fail(step, config[step], "true");
  // The published BLIP files leave this one out; a decoded picture is always RGB.
  if ("do_convert_rgb" in config && config.do_convert_rgb !== true)
    fail("do_convert_rgb", config.do_convert_rgb, "true");
  const filter = config.resample === 3 ? "bicubic" : config.resample === 2 ? "bilinear" : null;
  if (filter === null) fail("resample", config.resample, "3 (bicubic) or 2 (bilinear)");
  const common: Omit<ImageProcessor, "height" | "width" | "shortestEdge"> = {
    type,
    filter,
    rescaleFactor: positive(config, "rescale_factor"),
    mean: triple(config, "image_mean", () => true),
    std: triple(config, "image_std", (v) => v > 0),
  };
  if (type === "BlipImageProcessor") return { ...common, ...heightAndWidth(config, "size"), shortestEdge: null };
  if (config.do_center_crop !== true) fail("do_center_crop", config.do_center_crop, "true");
  const crop = heightAndWidth(config, "crop_size");
  const shortestEdge = edge(config, "size", "shortest_edge");
  if (Math.max(crop.height, crop.width) > shortestEdge)
    fail("crop_size", config.crop_size, `a height and width of at most size.shortest_edge, which is ${shortestEdge}`);
  return { ...common, ...crop, shortestEdge };
}

const file = "preprocessor_config.json";

function fail(name: string, got: unknown, expected: string): never {
  const what = got === undefined ? "is missing" : `got ${JSON.stringify(got).slice(0, 80)}`;
  throw new UserError(
    `${file} ${name}: ${what}, this port has only ${expected}; take the file that came with the model`,
  );
}

function positive(config: Record<string, unknown>, name: string): number {
  const value = config[name];
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) fail(name, value, "a number above 0");
  return value;
}

function triple(
  config: Record<string, unknown>,
  name: string,
  allowed: (value: number) => boolean,
): [number, number, number] {
  const value = config[name];
  if (!Array.isArray(value) || value.length !== 3 || !value.every((v) => Number.isFinite(v) && allowed(v)))
    fail(name, value, name === "image_std" ? "three numbers above 0" : "three numbers");
  return [value[0], value[1], value[2]];
}

function heightAndWidth(config: Record<string, unknown>, name: string): { height: number; width: number } {
  return { height: edge(config, name, "height"), width: edge(config, name, "width") };
}

function edge(config: Record<string, unknown>, name: string, side: string): number {
  const size = config[name];
  if (typeof size !== "object" || size === null) fail(name, size, `an object with ${side}`);
  const value = (size as Record<string, unknown>)[side];
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > 4096)
    fail(`${name}.${side}`, value, "a whole number from 1 to 4096");
  return value;
}
