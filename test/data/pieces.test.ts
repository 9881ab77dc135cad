import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openPieces } from "../../src/data/pieces.ts";
import { readDataFile } from "../../src/data/samples.ts";
import { readTokenizer } from "../../src/models/tokenizer.ts";

const { rows } = await readDataFile("data/miniature/samples.csv");

test.for(["blip", "llava"])("%s-mini: counts and alignments as the whole prompt's tokens give them", async (name) => {
  const json = (file: string) => JSON.parse(readFileSync(`weights/miniature/${name}/${file}`, "utf8"));
  const tokenizer = readTokenizer(json("tokenizer.json"), json("tokenizer_config.json"));
  const pieces = await openPieces(`${name}-mini`);
  let unequal = 0;
  for (const [i, row] of rows.entries()) {
    const long = (prompt: string) => prompt.replace(/\w+(?= or)/, "unrecognisably");
    const cleanPrompt = i % 3 === 0 ? long(row.cleanPrompt) : row.cleanPrompt;
    const corruptPrompt = i % 4 === 0 ? long(row.corruptPrompt) : row.corruptPrompt;
    const [clean, corrupt] = [tokenizer.encode(cleanPrompt), tokenizer.encode(corruptPrompt)];
    const indices = pieces.align(cleanPrompt, corruptPrompt).split(" ");
    for (const { text, count } of clean.words) expect(pieces.count(text)).toBe(count);
    expect(indices[0]).toBe("0");
    expect(indices).toHaveLength(clean.ids.length);
    clean.words.forEach((word, i) => {
      const other = corrupt.words[i]!;
      const last = (at: { first: number; count: number }) => at.first + at.count - 1;
      expect(indices[last(word)]).toBe(String(last(other)));
      const missing = indices.slice(word.first, word.first + word.count).filter((index) => index === "-").length;
      expect(missing).toBe(Math.max(0, word.count - other.count));
      unequal += missing;
    });
  }
  expect(unequal).toBeGreaterThan(0);
});

test("prompts of unequal numbers of words have no alignment", async () => {
  const { align } = await openPieces("blip-mini");
  expect(align("is red?", "is it red?")).toBe("");
});
