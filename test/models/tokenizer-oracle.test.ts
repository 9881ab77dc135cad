/** LLaMA's ids against another implementation: llama-tokenizer-js. */
import { readFileSync } from "node:fs";
import oracle from "llama-tokenizer-js";
import { expect, test } from "vitest";
import { readTokenizer } from "../../src/models/tokenizer.ts";
import { random } from "../patching/synthetic.ts";

const file = new URL("../fixtures/tokenizers/llama.tokenizer.json", import.meta.url);
const llama = readTokenizer(JSON.parse(readFileSync(file, "utf8")), { clean_up_tokenization_spaces: false });

const words = "Is this heart red or blue ? the man walking ASSISTANT: USER Unripe caramelized 42 3.14 don't x=y".split(
  " ",
);
const letters = [..." \n\t.,!?'\"-_/()abcxyzABCXYZ0189éßñčあ漢字한글🙂👩‍🚀\u0301\u200b"];

function text(next: () => number): string {
  const pieces = Array.from({ length: Math.floor(next() * 12) }, () => {
    const kind = next();
    if (kind < 0.45) return words[Math.floor(next() * words.length)]!;
    if (kind < 0.7) return " ".repeat(1 + Math.floor(next() * 3));
    return Array.from({ length: 1 + Math.floor(next() * 6) }, () => letters[Math.floor(next() * letters.length)]).join(
      "",
    );
  });
  return pieces.join(next() < 0.5 ? " " : "");
}

test("20,000 random strings have the same ids", () => {
  const next = random(20_000);
  const wrong: string[] = [];
  let tokens = 0;
  for (let i = 0; i < 20_000; i++) {
    const made = text(next);
    const { ids } = llama.encode(made);
    const expected = made === "" ? [1] : oracle.encode(made); // the other implementation gives [] for the empty text
    tokens += ids.length;
    if (ids.length !== expected.length || ids.some((id, at) => id !== expected[at])) wrong.push(made);
  }
  expect(wrong).toEqual([]);
  expect(tokens).toBeGreaterThan(200_000);
});
