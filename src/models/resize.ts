/**
 * Pillow's resampling, bit for bit: two passes over 8-bit values with weights in 22-bit fixed point.
 * The filter widens when a picture shrinks (antialiasing), which is where canvas and libvips differ.
 */
import type { Pixels } from "./decode.ts";
import { UserError } from "./errors.ts";

export type Filter = "bilinear" | "bicubic";

/** The part of the resized picture that is computed. */
export interface Window {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const kernels: Record<Filter, { support: number; weight: (x: number) => number }> = {
  bilinear: { support: 1, weight: (x) => (x < 1 ? 1 - x : 0) },
  bicubic: { support: 2, weight: cubic },
};

/** Keys' cubic with a = -0.5, at the distance x >= 0. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

const precision = 22;
const half = 1 << (precision - 1);

/** Resizes a picture to width x height; with a window, exactly that part of it, without computing the rest. */
export function resize(pixels: Pixels, width: number, height: number, filter: Filter, window?: Window): Pixels {
  if (!(Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0))
    throw new UserError(`resize: got the size ${width} x ${height}, expected whole numbers above 0; give both`);
  const part = window ?? { left: 0, top: 0, width, height };
  const across = taps(pixels.width, width, part.left, part.width, filter);
  const down = taps(pixels.height, height, part.top, part.height, filter);
  const source = crop(pixels, across.from, down.from, across.to - across.from, down.to - down.from);
  // Pillow 13 changes the order, and with it the rounding in between, when the height shrinks much more than the width.
  const shorter = pixels.height - height;
  const verticalFirst = shorter > 0 && shorter > (pixels.width - width) * 2;
  return verticalFirst ? horizontal(vertical(source, down), across) : vertical(horizontal(source, across), down);
}

/** What each output pixel reads along one axis. */
interface Taps {
  /** The stretch of source pixels that is read at all. */
  readonly from: number;
  readonly to: number;
  /** The first pixel that each output reads, counted from `from`, and how many. */
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [outputs, stride] */
  readonly weights: Int32Array;
  readonly stride: number;
}

/** The taps of `length` outputs from `start`, when `before` pixels become `after`. */
function taps(before: number, after: number, start: number, length: number, filter: Filter): Taps {
  const { support, weight } = kernels[filter];
  const scale = before / after;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const shrink = 1 / stretch;
  const stride = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Int32Array(length * stride);
  const exact = new Float64Array(stride);
  for (let o = 0; o < length; o++) {
    const centre = (start + o + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - reach + 0.5));
    const n = Math.min(before, Math.trunc(centre + reach + 0.5)) - low;
    let total = 0;
    for (let i = 0; i < n; i++) {
      exact[i] = weight(Math.abs((i + low - centre + 0.5) * shrink));
      total += exact[i]!;
    }
    for (let i = 0; i < n; i++) {
      const fixed = (total === 0 ? exact[i]! : exact[i]! / total) * (1 << precision);
      weights[o * stride + i] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    first[o] = low;
    count[o] = n;
  }
  const from = first[0]!;
  const to = first[length - 1]! + count[length - 1]!;
  return { from, to, first: first.map((f) => f - from), count, weights, stride };
}

function crop(pixels: Pixels, left: number, top: number, width: number, height: number): Pixels {
  if (width === pixels.width && height === pixels.height) return pixels;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const p = ((y + top) * pixels.width + left) * 3;
    data.set(pixels.data.subarray(p, p + width * 3), y * width * 3);
  }
  return { width, height, data };
}

function horizontal(pixels: Pixels, { first, count, weights, stride }: Taps): Pixels {
  const { data, height } = pixels;
  const width = first.length;
  const out = new Uint8ClampedArray(width * height * 3);
  for (let y = 0, q = 0; y < height; y++)
    for (let x = 0; x < width; x++, q += 3) {
      const end = x * stride + count[x]!;
      let p = (y * pixels.width + first[x]!) * 3;
      let r = half;
      let g = half;
      let b = half;
      for (let i = x * stride; i < end; i++, p += 3) {
        const w = weights[i]!;
        r += data[p]! * w;
        g += data[p + 1]! * w;
        b += data[p + 2]! * w;
      }
      out[q] = r >> precision;
      out[q + 1] = g >> precision;
      out[q + 2] = b >> precision;
    }
  return { width, height, data: new Uint8Array(out.buffer) };
}

function vertical(pixels: Pixels, { first, count, weights, stride }: Taps): Pixels {
  const { data, width } = pixels;
  const height = first.length;
  const line = width * 3;
  const out = new Uint8ClampedArray(height * line);
  const sums = new Int32Array(line);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    for (let i = 0; i < count[y]!; i++) {
      const w = weights[y * stride + i]!;
      const p = (first[y]! + i) * line;
      for (let x = 0; x < line; x++) sums[x] = sums[x]! + data[p + x]! * w;
    }
    for (let x = 0; x < line; x++) out[y * line + x] = sums[x]! >> precision;
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}
