/** What NF4 weights stand for, by the definition. */
import { NF4_BLOCK } from "../../src/kernels/matrix.ts";
import { quantizeBlocks } from "../../src/models/nf4.ts";

const levels = [
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022833334,
  -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
];

/** The float32 numbers that weights become. */
export function throughNf4(values: Float32Array): Float32Array<ArrayBuffer> {
  const { codes, scales } = quantizeBlocks(values);
  return Float32Array.from(codes, (code, i) => levels[code]! * scales[Math.floor(i / NF4_BLOCK)]!);
}
