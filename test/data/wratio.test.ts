import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bestWord, wRatio } from "../../src/data/wratio.ts";

const pairs = readFileSync("test/fixtures/data/wratio.tsv", "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => line.split("\t") as [string, string, string])
  .map(([a, b, score]) => ({ a: a.replaceAll("\\t", "\t"), b: b.replaceAll("\\t", "\t"), score: Number(score) }));

test("equals rapidfuzz 3.7.0 in 2,000 pairs, to the last bit", () => {
  expect(pairs).toHaveLength(2000);
  expect(new Set(pairs.map(({ score }) => score)).size).toBeGreaterThan(200);
  expect(pairs.filter(({ a, b, score }) => wRatio(a, b) !== score)).toEqual([]);
});

test("finds the word of a prompt that a triplet's word became", () => {
  const words = "Is the man or the woman walking by the car?".split(" ");
  expect(bestWord("man", words, 60)).toBe(2);
  expect(bestWord("walk", words, 60)).toBe(6);
  expect(bestWord("car", words, 60)).toBe(9);
  expect(bestWord("the", words, 60)).toBe(1);
  expect(bestWord("zebra", words, 60)).toBe(-1);
});
