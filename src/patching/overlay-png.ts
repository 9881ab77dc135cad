/** Pictures as PNG, the same bytes everywhere: the compression is plain JavaScript. */
import { crc32 } from "node:zlib";
import { zlibSync } from "fflate";

/** Eight bits a channel: rgb [side, side, 3]. */
export const pngOfRgb = (rgb: Uint8Array, side: number): Uint8Array => png(side, 2, scanlines(rgb, 3 * side, 3));

/** Numbers of colours [side, side] with the 256 colours, `#rrggbb`, that they mean. */
export function pngOfPalette(indices: Uint8Array, side: number, colours: readonly string[]): Uint8Array {
  const palette = Buffer.from(colours.map((colour) => colour.slice(1)).join(""), "hex");
  return png(side, 3, scanlines(indices, side, 1), chunk("PLTE", palette));
}

export const pngAddress = (bytes: Uint8Array): string =>
  `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;

/** Each line begins with filter 1: bytes as differences to the pixel at their left. */
function scanlines(bytes: Uint8Array, width: number, step: number): Uint8Array {
  const lines = bytes.length / width;
  const out = new Uint8Array(bytes.length + lines);
  for (let line = 0; line < lines; line++) {
    out[line * (width + 1)] = 1;
    for (let i = 0; i < width; i++) {
      const at = line * width + i;
      out[at + line + 1] = bytes[at]! - (i < step ? 0 : bytes[at - step]!);
    }
  }
  return out;
}

function png(side: number, colourType: 2 | 3, lines: Uint8Array, ...more: Buffer[]): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, colourType], 8);
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", header),
    ...more,
    chunk("IDAT", zlibSync(lines, { level: 6 })),
    chunk("IEND", new Uint8Array()),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
