import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decodeImage } from "#decode";
import { UserError } from "../../src/models/errors.ts";
import { type ImageProcessor, type Pixels, processImage, readImageProcessor, resize } from "../../src/models/image.ts";

interface Result {
  readonly shape: readonly number[];
  readonly rgb_sha256: string;
  readonly pixel_values_sha256: string;
  readonly pixel_values: { readonly indices: readonly number[]; readonly values: readonly number[] };
  readonly before_crop: { readonly width: number; readonly height: number; readonly rgb_sha256: string };
}

interface Fixture {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly convert_rgb: { readonly sha256: string; readonly pixels: readonly (readonly number[])[] };
  readonly blip: Result;
  readonly llava: Result;
  readonly svo: { readonly rgb224_sha256: string; readonly blip: Result; readonly llava: Result };
}

const fixtures = new URL("../fixtures/preprocess/", import.meta.url);
const { images, mean, std, rescale_factor } = JSON.parse(
  readFileSync(new URL("preprocess.json", fixtures), "utf8"),
) as {
  images: Fixture[];
  mean: number[];
  std: number[];
  rescale_factor: number;
};

const steps = { do_resize: true, do_rescale: true, do_normalize: true, do_convert_rgb: true };
const numbers = { resample: 3, rescale_factor, image_mean: mean, image_std: std };
const blipConfig = {
  image_processor_type: "BlipImageProcessor",
  ...steps,
  ...numbers,
  size: { height: 384, width: 384 },
};
const clipConfig = {
  image_processor_type: "CLIPImageProcessor",
  ...steps,
  ...numbers,
  do_center_crop: true,
  size: { shortest_edge: 336 },
  crop_size: { height: 336, width: 336 },
};
const blip = readImageProcessor(blipConfig);
const llava = readImageProcessor(clipConfig);

const sha = (data: ArrayBufferView) =>
  createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex");

function check(processor: ImageProcessor, pixels: Pixels, expected: Result): void {
  const got = processImage(processor, pixels);
  expect(got.shape).toEqual([1, ...expected.shape]);
  expect(sha(got.rgb)).toBe(expected.rgb_sha256);
  expect(expected.pixel_values.indices.map((i) => got.pixels[i])).toEqual(expected.pixel_values.values);
  expect(sha(got.pixels)).toBe(expected.pixel_values_sha256);
}

describe.for(images)("$file", (image) => {
  const decoded = decodeImage(readFileSync(new URL(`images/${image.file}`, fixtures)), image.file);

  test("decodes as Pillow does", async () => {
    const { width, height, data } = await decoded;
    expect([width, height, data.length]).toEqual([image.width, image.height, image.width * image.height * 3]);
    const { pixels, sha256 } = image.convert_rgb;
    expect(pixels.map(([x, y]) => [x, y, ...data.subarray((y! * width + x!) * 3, (y! * width + x!) * 3 + 3)])).toEqual(
      pixels,
    );
    expect(sha(data)).toBe(sha256);
  });

  test("is processed for BLIP", async () => check(blip, await decoded, image.blip));

  test("is processed for LLaVA", async () => {
    const { width, height, rgb_sha256 } = image.llava.before_crop;
    expect(sha(resize(await decoded, width, height, "bicubic").data)).toBe(rgb_sha256);
    check(llava, await decoded, image.llava);
  });

  test("is processed by way of SVO-Probes' 224 x 224", async () => {
    const small = resize(await decoded, 224, 224, "bilinear");
    expect(sha(small.data)).toBe(image.svo.rgb224_sha256);
    check(blip, small, image.svo.blip);
    check(llava, small, image.svo.llava);
  });
});

/** A PNG of zeros, 1 bit a pixel: 17000 x 17000 are 36 KB in the file and 867 MB as RGB. */
function blackPng(width: number, height: number): Uint8Array {
  const chunk = (name: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const rows = deflateSync(new Uint8Array((Math.ceil(width / 8) + 1) * height));
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", new Uint8Array())]);
}

/** A GIF of one white pixel; the flag 1 makes it transparent. The screen may be larger. */
const tinyGif = (flag: number, screen: number) =>
  Buffer.concat([
    Buffer.from("GIF89a"),
    Buffer.from([screen, 0, 1, 0, 0x80, 0, 0, 255, 255, 255, 0, 0, 0]), // screen, table of two colours
    Buffer.from([0x21, 0xf9, 4, flag, 0, 0, 0, 0]), // transparent colour 0, if the flag says so
    Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b]), // one pixel of colour 0
  ]);

describe("bad pictures", () => {
  const jpeg = readFileSync(new URL("images/jpeg_420.jpg", fixtures));
  const svg = '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>';

  test.for<[string, Uint8Array, string]>([
    ["SVG", Buffer.from(svg), "x.jpg: got an SVG drawing, expected a JPEG, PNG, GIF or WebP; convert it to PNG"],
    ["nothing", Buffer.alloc(0), "x.jpg: got an empty file, expected a JPEG, PNG, GIF or WebP; convert it to PNG"],
    ["text", Buffer.from("<!doctype html>"), 'x.jpg: got text ("<!doctype html>"), expected a JPEG'],
    ["zeros", new Uint8Array(64), "x.jpg: got bytes of an unknown format (00 00 00 00), expected a JPEG"],
    ["BMP", Buffer.from("BM000000"), "x.jpg: got a BMP picture, expected a JPEG, PNG, GIF or WebP; convert it to PNG"],
    ["a header alone", jpeg.subarray(0, 3), "x.jpg: this JPEG is damaged or cut short ("],
    [
      "half a JPEG",
      jpeg.subarray(0, jpeg.length / 2),
      "x.jpg: this JPEG is damaged or cut short (VipsJpeg: premature end",
    ],
    [
      "a bomb",
      blackPng(17_000, 17_000),
      "x.jpg: the PNG header says 17000 x 17000 pixels, expected at most 89478485; make the picture smaller",
    ],
    ["a transparent GIF", tinyGif(1, 1), "x.jpg: the first frame of this GIF leaves pixels transparent or uncovered"],
    ["a GIF with a margin", tinyGif(0, 2), "x.jpg: the first frame of this GIF leaves pixels transparent or uncovered"],
  ])("%s", async ([, bytes, message]) => {
    const error = await decodeImage(bytes, "x.jpg").catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(message);
    expect((error as UserError).message).toMatch(/; [^;]+$/);
  });

  test("the same GIF, opaque, is read", async () => {
    expect(await decodeImage(tinyGif(0, 1), "x.gif")).toEqual({
      width: 1,
      height: 1,
      data: new Uint8Array([255, 255, 255]),
    });
  });

  test("a large black PNG below the line is read", async () => {
    const { width, height, data } = await decodeImage(blackPng(4000, 10), "x.png");
    expect([width, height, data.length, data.some((v) => v !== 0)]).toEqual([4000, 10, 120_000, false]);
  });
});

describe("resize", () => {
  const noise = (width: number, height: number): Pixels => ({
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 255),
  });

  test.for(["bilinear", "bicubic"] as const)("keeps a picture of the right size as it is: %s", (filter) => {
    const pixels = noise(17, 9);
    expect(resize(pixels, 17, 9, filter)).toEqual(pixels);
  });

  test.for([
    [31, 17, 50, 60],
    [31, 170, 50, 60],
    [100, 40, 30, 20],
    [64, 200, 32, 100],
  ] as const)("a window is that part of the whole: %j", ([w, h, width, height]) => {
    const whole = resize(noise(w, h), width, height, "bicubic");
    const window = { left: 7, top: 5, width: 12, height: 9 };
    const rows = Array.from({ length: 9 }, (_, y) =>
      whole.data.slice(((y + 5) * width + 7) * 3, ((y + 5) * width + 19) * 3),
    );
    expect(resize(noise(w, h), width, height, "bicubic", window).data).toEqual(
      Uint8Array.from(rows.flatMap((r) => [...r])),
    );
  });

  test("refuses a size that is none", () => {
    expect(() => resize(noise(2, 2), 0, 5, "bicubic")).toThrowErrorMatchingInlineSnapshot(
      `[UserError: resize: got the size 0 x 5, expected whole numbers above 0; give both]`,
    );
  });
});

describe("preprocessor_config.json", () => {
  test("says it in our words", () => {
    const common = { filter: "bicubic", rescaleFactor: 1 / 255, mean, std };
    expect(blip).toEqual({ type: "BlipImageProcessor", height: 384, width: 384, shortestEdge: null, ...common });
    expect(llava).toEqual({ type: "CLIPImageProcessor", height: 336, width: 336, shortestEdge: 336, ...common });
    expect(readImageProcessor({ ...blipConfig, resample: 2 }).filter).toBe("bilinear");
  });

  test.for<[object, string]>([
    [{ image_processor_type: "ViTImageProcessor" }, 'image_processor_type: got "ViTImageProcessor"'],
    [{ image_processor_type: undefined }, "image_processor_type: is missing"],
    [{ do_resize: false }, "do_resize: got false, this port has only true"],
    [{ do_rescale: undefined }, "do_rescale: is missing"],
    [{ do_normalize: null }, "do_normalize: got null"],
    [{ do_convert_rgb: false }, "do_convert_rgb: got false"],
    [{ resample: 0 }, "resample: got 0, this port has only 3 (bicubic) or 2 (bilinear)"],
    [{ resample: undefined }, "resample: is missing"],
    [{ rescale_factor: "1/255" }, 'rescale_factor: got "1/255"'],
    [{ image_mean: [0.5, 0.5] }, "image_mean: got [0.5,0.5]"],
    [{ image_std: [0.5, 0, 0.5] }, "image_std: got [0.5,0,0.5], this port has only three numbers above 0"],
    [{ size: 336 }, "size: got 336, this port has only an object with shortest_edge"],
    [{ size: { height: 336, width: 336 } }, "size.shortest_edge: is missing"],
    [{ size: { shortest_edge: 10_000 } }, "size.shortest_edge: got 10000"],
    [{ do_center_crop: false }, "do_center_crop: got false"],
    [{ crop_size: { height: 336 } }, "crop_size.width: is missing"],
    [{ crop_size: { height: 400, width: 336 } }, "crop_size: got"],
  ])("refuses %j", ([change, message]) => {
    expect(() => readImageProcessor({ ...clipConfig, ...change })).toThrow(UserError);
    expect(() => readImageProcessor({ ...clipConfig, ...change })).toThrow(`preprocessor_config.json ${message}`);
  });

  test("refuses what is no object", () => {
    for (const json of [null, 3, [], "x"])
      expect(() => readImageProcessor(json)).toThrow("preprocessor_config.json: expected a JSON object");
  });
});

test("the miniature BLIP reads a picture of the miniature data", async () => {
  const root = new URL("../../", import.meta.url);
  const config = JSON.parse(readFileSync(new URL("weights/miniature/blip/preprocessor_config.json", root), "utf8"));
  const picture = readFileSync(new URL("data/miniature/mit_states/images/red heart/1.jpg", root));
  const { shape, pixels, rgb } = processImage(readImageProcessor(config), await decodeImage(picture, "1.jpg"));
  expect(shape).toEqual([1, 3, 96, 96]);
  expect([pixels.length, rgb.length]).toEqual([3 * 96 * 96, 96 * 96 * 3]);
});
