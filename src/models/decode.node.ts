/**
 * From the bytes of a JPEG, PNG, GIF or WebP file to what Pillow's `Image.open(file).convert("RGB")` gives:
 * no rotation by EXIF, no colour profile, alpha dropped and never blended, the first frame of several.
 */
import type { Metadata, Sharp, SharpOptions } from "sharp";
import type { Pixels } from "./decode.ts";
import { UserError } from "./errors.ts";

/** Pillow's warning line against decompression bombs: a quarter of a gigabyte of RGB. */
const maxPixels = 89_478_485;

/** Decodes one picture; `name` is what error messages call it. */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<Pixels> {
  const format = imageFormat(bytes, name);
  const open = await loadSharp();
  const image = (options: SharpOptions) => open(bytes, { failOn: "error", ignoreIcc: true, ...options });
  try {
    const metadata = await image({ limitInputPixels: false }).metadata();
    if (metadata.width * metadata.height > maxPixels)
      throw new UserError(
        `${name}: the ${format} header says ${metadata.width} x ${metadata.height} pixels, ` +
          `expected at most ${maxPixels}; make the picture smaller`,
      );
    const pixels = await read(image({ limitInputPixels: maxPixels }), metadata, bytes);
    if (pixels) return pixels;
    throw new UserError(
      `${name}: the first frame of this GIF leaves pixels transparent or uncovered, expected a colour everywhere, ` +
        "since decoders disagree about the rest; convert it to PNG",
    );
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = (error as Error).message.trim().split("\n")[0];
    throw new UserError(`${name}: this ${format} is damaged or cut short (${why}); save or download the picture again`);
  }
}

/** The RGB values; null for a GIF whose first frame does not say them all. */
async function read(
  image: Sharp,
  { width, height, space, format }: Metadata,
  bytes: Uint8Array,
): Promise<Pixels | null> {
  if (space === "cmyk") {
    const { data } = await image
      .pipelineColourspace("cmyk")
      .toColourspace("cmyk")
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { width, height, data: fromCmyk(data) };
  }
  if (isGrey16(bytes)) {
    const { data, info } = await image
      .removeAlpha()
      .toColourspace("grey16")
      .raw({ depth: "ushort" })
      .toBuffer({ resolveWithObject: true });
    const grey = new Uint16Array(new Uint8Array(data).buffer);
    return { width, height, data: toRgb(Uint8ClampedArray.from(grey), info.channels) };
  }
  if (format === "gif" && !(fillsScreen(bytes) && (await image.clone().stats()).isOpaque)) return null;
  const { data, info } = await image.removeAlpha().raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  return { width, height, data: toRgb(data, info.channels) };
}

/** Pillow's formula; it reads no profile. */
function fromCmyk(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let p = 0, q = 0; p < cmyk.length; p += 4, q += 3) {
    const light = 255 - cmyk[p + 3]!;
    for (let c = 0; c < 3; c++) {
      const t = cmyk[p + c]! * light + 128;
      rgb[q + c] = Math.max(0, light - (((t >> 8) + t) >> 8));
    }
  }
  return rgb;
}

/** [pixels, channels] with one or three channels to three. */
function toRgb(data: Uint8Array | Uint8ClampedArray, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let i = 0, q = 0; i < data.length; i += channels, q += 3) rgb.fill(data[i]!, q, q + 3);
  return rgb;
}

/** A PNG of 16-bit grey, which Pillow clips to 255 where it takes the high byte of any other 16-bit picture. */
function isGrey16(bytes: Uint8Array): boolean {
  return bytes[0] === 0x89 && bytes[24] === 16 && bytes[25] === 0;
}

/** Whether the first frame of a GIF is as large as its screen. */
function fillsScreen(bytes: Uint8Array): boolean {
  const tableEnd = (flags: number, start: number) => start + (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  let at = tableEnd(bytes[10]!, 13);
  // Extensions come first: 0x21, a label, then blocks that begin with their length, up to an empty one.
  while (bytes[at] === 0x21) {
    at += 2;
    while (bytes[at]! > 0) at += bytes[at]! + 1;
    at += 1;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [left, top, width, height] = [1, 3, 5, 7].map((i) => view.getUint16(at + i, true));
  return left === 0 && top === 0 && width === view.getUint16(6, true) && height === view.getUint16(8, true);
}

/** The format by its first bytes; anything else is refused before a decoder sees it. */
function imageFormat(bytes: Uint8Array, name: string): "JPEG" | "PNG" | "GIF" | "WebP" {
  const head = Buffer.from(bytes.subarray(0, 1024)).toString("latin1");
  if (head.startsWith("\xff\xd8\xff")) return "JPEG";
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "PNG";
  if (/^GIF8[79]a/.test(head)) return "GIF";
  if (/^RIFF[\s\S]{4}WEBP/.test(head)) return "WebP";
  throw new UserError(`${name}: got ${describe(bytes, head)}, expected a JPEG, PNG, GIF or WebP; convert it to PNG`);
}

function describe(bytes: Uint8Array, head: string): string {
  if (bytes.length === 0) return "an empty file";
  if (/<svg[\s>]/i.test(head)) return "an SVG drawing";
  if (/^BM/.test(head)) return "a BMP picture";
  if (/^(II\*\0|MM\0\*)/.test(head)) return "a TIFF picture";
  if (/^[\s\S]{4}ftyp(avif|heic|heix|mif1)/.test(head)) return "an AVIF or HEIC picture";
  if (/^[\t\n\r\x20-\x7e]*$/.test(head)) return `text (${JSON.stringify(head.slice(0, 24))})`;
  return `bytes of an unknown format (${[...bytes.subarray(0, 4)].map((b) => b.toString(16).padStart(2, "0")).join(" ")})`;
}

async function loadSharp(): Promise<(input: Uint8Array, options: SharpOptions) => Sharp> {
  try {
    return (await import("sharp")).default;
  } catch (error) {
    const why = (error as Error).message.trim().split("\n")[0];
    throw new UserError(
      `decodeImage: the package "sharp" cannot be loaded (${why}); ` +
        "run `npm install --include=optional sharp`, or pass decoded pixels",
    );
  }
}
