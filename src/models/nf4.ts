/**
 * NF4, as bitsandbytes makes it (`bnb_4bit_quant_type="nf4"`, no double quantisation): a weight is a code for one of 16
 * levels, and each block of 64 has a float32 that scales them, its largest magnitude. Of float16 weights the largest is
 * a float16, and kept as one.
 */
import { NF4_BLOCK, type Nf4, rowWords } from "../kernels/matrix.ts";
import { UserError } from "./errors.ts";
import { floatToHalf } from "./half.ts";

/** What a checkpoint may be turned into at load. */
export const quantizations = ["nf4"] as const;
export type Quantize = (typeof quantizations)[number];

/** The original's choice: every linear layer but the one that makes the logits. A patch convolution is none. */
export const isQuantized = (weight: string): boolean =>
  !/(^|\.)(lm_head|cls\.predictions\.decoder|patch_embedding)\.weight$/.test(weight);

/** A weight's code is the number of these that are smaller: halfway between the levels, as bitsandbytes has them. */
const THRESHOLDS = Float32Array.of(
  -0.8480964004993439,
  -0.6106329262256622,
  -0.4599952697753906,
  -0.33967943489551544,
  -0.23460740596055984,
  -0.13791173323988914,
  -0.045525018125772476,
  0.03979014977812767,
  0.1202552504837513,
  0.2035212516784668,
  0.2920137718319893,
  0.3893125355243683,
  0.5016634166240692,
  0.6427869200706482,
  0.8614784181118011,
);

/** Thresholds below the beginning of each 32nd of -1 .. 1; no two lie in one, so one comparison is left. */
const BINS = 32;
const below = Uint8Array.from(
  { length: 2 * BINS + 1 },
  (_, bin) => THRESHOLDS.filter((threshold) => threshold < bin / BINS - 1).length,
);

/** Codes and scales of weights that begin with a block; the last block may be short. */
export function quantizeBlocks(values: Float32Array): { codes: Uint8Array; scales: Float32Array<ArrayBuffer> } {
  const codes = new Uint8Array(values.length);
  const scales = new Float32Array(Math.ceil(values.length / NF4_BLOCK));
  for (let block = 0; block < scales.length; block++) {
    const first = block * NF4_BLOCK;
    const end = Math.min(first + NF4_BLOCK, values.length);
    let largest = 0;
    for (let i = first; i < end; i++) largest = Math.max(largest, Math.abs(values[i]!));
    scales[block] = largest;
    const inverse = Math.fround(1 / largest);
    for (let i = first; i < end; i++) {
      const scaled = Math.fround(values[i]! * inverse);
      const code = below[(Math.min(scaled, 1) * BINS + BINS) | 0]!; // NaN, in a block of zeros, gives 0
      codes[i] = scaled > THRESHOLDS[code]! ? code + 1 : code;
    }
  }
  return { codes, scales };
}

/**
 * Rows of a matrix in the words that matmul reads; the first begins with a block. `nf4-half` is for values that were
 * float16.
 * @throws UserError if a weight is not finite
 */
export function nf4Rows(label: string, format: Nf4, inputs: number, values: Float32Array): Uint32Array {
  const { codes, scales } = quantizeBlocks(values);
  if (!scales.every(Number.isFinite)) {
    throw new UserError(
      `nf4: ${label} has a weight that is no finite number, which NF4 cannot hold; is the file whole?`,
    );
  }
  const width = rowWords(format, inputs);
  const codeWords = Math.ceil(inputs / 8);
  const words = new Uint32Array((values.length / inputs) * width);
  for (let row = 0, at = 0; at < values.length; row++, at += inputs) {
    const start = row * width;
    for (let k = 0; k < inputs; k++) words[start + (k >> 3)]! |= codes[at + k]! << (4 * (k & 7));
    const own = scales.subarray(Math.floor(at / NF4_BLOCK), Math.ceil((at + inputs) / NF4_BLOCK));
    words.set(scaleWords(format, own), start + codeWords);
  }
  return words;
}

/** Scales as words: one to a word, or two, the first in the low bits. */
function scaleWords(format: Nf4, scales: Float32Array<ArrayBuffer>): Uint32Array {
  if (format === "nf4") return new Uint32Array(scales.buffer, scales.byteOffset, scales.length);
  const words = new Uint32Array(Math.ceil(scales.length / 2));
  new Uint16Array(words.buffer).set(Array.from(scales, floatToHalf));
  return words;
}
