import { expect, test } from "vitest";
import { bfloatToFloat, floatToHalf, halfToFloat, widenBfloat, widenHalf } from "../../src/models/half.ts";

const patterns = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
const bitsOf = (floats: Float32Array) => new Uint32Array(floats.buffer);

/** The definition, in exact arithmetic of float64: value, or undefined for NaN. */
function value(bits: number, exponentBits: number, fractionBits: number): number | undefined {
  const sign = bits >> 15 ? -1 : 1;
  const top = 2 ** exponentBits - 1;
  const exponent = (bits >> fractionBits) & top;
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === top) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : undefined;
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}

test.for([
  { format: "float16", one: halfToFloat, many: widenHalf, exponentBits: 5, fractionBits: 10 },
  { format: "bfloat16", one: bfloatToFloat, many: widenBfloat, exponentBits: 8, fractionBits: 7 },
])("all 65,536 patterns of $format widen exactly", ({ one, many, exponentBits, fractionBits }) => {
  const floats = many(patterns);
  const words = bitsOf(floats);
  const wrong = patterns.filter((bits) => {
    const expected = value(bits, exponentBits, fractionBits);
    if (expected !== undefined) return !Object.is(floats[bits], expected) || !Object.is(one(bits), expected);
    const fraction = bits & (2 ** fractionBits - 1);
    const nan = (((bits >> 15) << 31) | 0x7f800000 | (fraction << (23 - fractionBits))) >>> 0;
    return words[bits] !== nan || !Number.isNaN(one(bits));
  });
  expect([...wrong]).toEqual([]);
});

test("every float16 comes back from its number", () => {
  const wrong = patterns.filter((bits) => !Number.isNaN(halfToFloat(bits)) && floatToHalf(halfToFloat(bits)) !== bits);
  expect([...wrong]).toEqual([]);
  expect(floatToHalf(Number.NaN)).toBe(0x7e00);
});

test("halfway between two float16 goes to the even one, a hair beside it to the nearer", () => {
  const hair = 2 ** -30;
  const wrong = Array.from({ length: 0x7bff }, (_, bits) => bits).filter((bits) => {
    const middle = (halfToFloat(bits) + halfToFloat(bits + 1)) / 2;
    const even = bits % 2 === 0 ? bits : bits + 1;
    const around = [middle * (1 - hair), middle, middle * (1 + hair)].map(floatToHalf);
    return around[0] !== bits || around[1] !== even || around[2] !== bits + 1 || floatToHalf(-middle) !== even + 0x8000;
  });
  expect(wrong).toEqual([]);
});

test.for([
  [65519.999, 0x7bff],
  [65520, 0x7c00],
  [Number.MAX_VALUE, 0x7c00],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [2 ** -25, 0],
  [2 ** -25 * 1.0000001, 1],
  [Number.MIN_VALUE, 0],
  [-0, 0x8000],
  [1 + 2 ** -11 + 2 ** -40, 0x3c01],
] as const)("%d rounds to the pattern %d", ([number, bits]) => {
  expect(floatToHalf(number)).toBe(bits);
});
