/** Equal to NumPy 1.25.0 and pandas 2.2.2; the cases are made by test/fixtures/make/selection.py. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { sample, sampleWithReplacement, seededRandom } from "../../src/data/random.ts";

interface Draw {
  seed: number;
  n: number;
  k: number;
  replace: boolean;
  rows: number[];
}

const fixture = JSON.parse(readFileSync("test/fixtures/data/selection.json", "utf8")) as {
  sample: Draw[];
  global: Draw[];
  words: { seed: number; bits: number[]; uniform: number[] }[];
};

const draw = ({ n, k, replace }: Draw, random: ReturnType<typeof seededRandom>) =>
  (replace ? sampleWithReplacement : sample)([...Array(n).keys()], k, random);

test("MT19937 of seed 1 starts as its definition does", () => {
  // The first word of init_genrand(1), tempered: numpy.random.RandomState(1).randint(2**32) draws it.
  expect(seededRandom(1).next()).toBe(1791095845);
});

test.for(fixture.words)("seed $seed: 1,300 words of 32 bits, and uniform numbers", ({ seed, bits, uniform }) => {
  const random = seededRandom(seed);
  const words = Array.from({ length: 1300 }, () => random.next());
  expect(words.slice(-4)).toEqual(bits);
  const again = seededRandom(seed);
  expect(uniform.map(() => again.uniform())).toEqual(uniform);
});

test.for(fixture.sample)("pandas' sample of $k from $n, seed $seed, replace $replace", (one) => {
  expect(draw(one, seededRandom(one.seed))).toEqual(one.rows);
});

test("pandas' samples of all kinds, one after another out of one state", () => {
  const random = seededRandom(9);
  for (const one of fixture.global) expect(draw(one, random)).toEqual(one.rows);
});
