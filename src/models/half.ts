/** float16 and bfloat16 as bits, to and from numbers. */

/** The number that a float16 stands for. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

const double = new DataView(new ArrayBuffer(8));

/** The float16 nearest to `x`, ties to even: straight from float64, as a stop at float32 would round twice. */
export function floatToHalf(x: number): number {
  double.setFloat64(0, x);
  const high = double.getUint32(0);
  const sign = (high >>> 16) & 0x8000;
  if (Number.isNaN(x)) return 0x7e00;
  const size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, ((high >>> 20) & 0x7ff) - 1023);
  const scaled = size * 2 ** (10 - exponent);
  const down = Math.floor(scaled);
  const rest = scaled - down;
  const mantissa = rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
  return sign | (((exponent + 14) << 10) + mantissa); // the leading one of a normal number, or a carry, adds to the exponent
}

const single = new DataView(new ArrayBuffer(4));

/** The number that a bfloat16 stands for. */
export function bfloatToFloat(bits: number): number {
  single.setUint32(0, bits << 16);
  return single.getFloat32(0);
}

/** float16 words as float32, exactly: subnormals, infinities and the bits of NaN included. */
export function widenHalf(words: Uint16Array): Float32Array<ArrayBuffer> {
  halfTable ??= makeHalfTable();
  const bits = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) bits[i] = halfTable[words[i]!]!;
  return new Float32Array(bits.buffer);
}

/** bfloat16 words as float32, exactly. */
export function widenBfloat(words: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) bits[i] = words[i]! << 16;
  return new Float32Array(bits.buffer);
}

let halfTable: Uint32Array | undefined;

/** float32 bits by float16 bits. */
function makeHalfTable(): Uint32Array {
  const floats = Float32Array.from({ length: 65_536 }, (_, bits) => halfToFloat(bits));
  const table = new Uint32Array(floats.buffer);
  for (let bits = 0; bits < table.length; bits++) {
    const holdsNaN = (bits & 0x7fff) > 0x7c00;
    if (holdsNaN) table[bits] = ((bits & 0x8000) << 16) | 0x7f800000 | ((bits & 1023) << 13);
  }
  return table;
}
