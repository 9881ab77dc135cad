import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type EncodedText, readTokenizer } from "../../src/models/tokenizer.ts";

interface Case {
  readonly text: string;
  readonly bert: { readonly ids: number[]; readonly offsets: number[][]; readonly ids_without_added?: number[] };
  readonly llama: { readonly ids: number[]; readonly offsets: number[][]; readonly decoded: string };
}

const read = (path: string) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"));
const { cases } = read("fixtures/tokenizers/cases.json") as { cases: Case[] };
const bertJson = read("fixtures/tokenizers/bert.tokenizer.json");
const llamaJson = read("fixtures/tokenizers/llama.tokenizer.json");
const bert = readTokenizer(bertJson, { clean_up_tokenization_spaces: true });
const llama = readTokenizer(llamaJson, { clean_up_tokenization_spaces: false });

/** The fixtures count code points. */
const inCodePoints = (text: string, { spans }: EncodedText) =>
  spans.map(({ start, end }) => [start, end].map((at) => [...text.slice(0, at)].length));

describe("BERT", () => {
  test("the ids, places and words of every text", () => {
    for (const { text, bert: expected } of cases) {
      const got = bert.encode(text);
      expect.soft(got.ids, text).toEqual(expected.ids);
      expect.soft(inCodePoints(text, got), text).toEqual(expected.offsets);
      expect.soft(got.ids, text).toEqual(got.tokens.map(bert.tokenToId));
      checkWords(text, got, 1);
    }
    expect(cases.length).toBe(218);
  });

  test("the ids of a vocabulary without [DEC] and [ENC]", () => {
    const added_tokens = bertJson.added_tokens.filter(({ id }: { id: number }) => id < 30_522);
    const plain = readTokenizer({ ...bertJson, added_tokens }, {});
    const written = cases.filter(({ bert: { ids_without_added } }) => ids_without_added);
    expect(written.length).toBe(2);
    for (const { text, bert: expected } of cases)
      expect.soft(plain.encode(text).ids, text).toEqual(expected.ids_without_added ?? expected.ids);
  });

  test("gives the pieces of a word to that word", () => {
    const got = bert.encode("Unripe café, [SEP] don't");
    expect(got.tokens).toEqual("[CLS] un ##rip ##e cafe , [SEP] don ' t [SEP]".split(" "));
    expect(got.words).toEqual([
      { text: "Unripe", start: 0, end: 6, first: 1, count: 3 },
      { text: "café", start: 7, end: 11, first: 4, count: 1 },
      { text: ",", start: 11, end: 12, first: 5, count: 1 },
      { text: "[SEP]", start: 13, end: 18, first: 6, count: 1 },
      { text: "don", start: 19, end: 22, first: 7, count: 1 },
      { text: "'", start: 22, end: 23, first: 8, count: 1 },
      { text: "t", start: 23, end: 24, first: 9, count: 1 },
    ]);
  });

  test.for([
    [
      "counts an emoji as two UTF-16 units",
      "🙂 dog",
      ["[UNK]", "dog"],
      [
        [0, 2],
        [3, 6],
      ],
    ],
    [
      "lower-cases a final sigma as Rust does",
      "ΑΣ",
      ["α", "##σ"],
      [
        [0, 1],
        [1, 2],
      ],
    ],
    ["drops U+0085, a control character, before it looks for white space", "do\u0085g", ["dog"], [[0, 4]]],
    ["drops the dot of İ", "İs", ["is"], [[0, 2]]],
    [
      "gives each CJK character its own word",
      "中文",
      ["中", "文"],
      [
        [0, 1],
        [1, 2],
      ],
    ],
  ] as const)("%s", ([, text, tokens, spans]) => {
    const got = bert.encode(text);
    expect(got.tokens.slice(1, -1)).toEqual(tokens);
    expect(got.spans.slice(1, -1).map(({ start, end }) => [start, end])).toEqual(spans);
  });

  test("decodes with punctuation joined to its word, without special tokens and unknown ids", () => {
    expect(bert.decode(bert.encode("Is this tomato ripe, or unripe? It isn't!").ids)).toBe(
      "is this tomato ripe, or unripe? it isn't!",
    );
    expect(bert.decode([101, 99_999, 102])).toBe("");
    expect(bert.decode([])).toBe("");
    expect(bert.decode([101, 3899, 102], { skipSpecial: false })).toBe("[CLS] dog [SEP]");
  });
});

describe("LLaMA", () => {
  test("the ids, places, words and decoding of every text", () => {
    for (const { text, llama: expected } of cases) {
      const got = llama.encode(text);
      expect.soft(got.ids, text).toEqual(expected.ids);
      expect.soft(inCodePoints(text, got), text).toEqual(expected.offsets);
      expect.soft(llama.decode(got.ids), text).toBe(expected.decoded);
      checkWords(text, got, 0);
    }
  });

  test("gives the pieces of a word to that word", () => {
    const got = llama.encode("USER: <image>\nIs this tomato ripe?");
    const written = got.words.map(({ text, first, count }) => [text, ...got.tokens.slice(first, first + count)]);
    expect(written).toEqual([
      ["USER", "▁US", "ER"],
      [":", ":"],
      ["<image>", "<image>"],
      ["Is", "Is"],
      ["this", "▁this"],
      ["tomato", "▁tom", "ato"],
      ["ripe", "▁ri", "pe"],
      ["?", "?"],
    ]);
  });

  test("the newer spelling of the file has no ▁ behind <image>", () => {
    const pre_tokenizer = { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false };
    const newer = readTokenizer({ ...llamaJson, normalizer: null, pre_tokenizer }, {});
    const got = newer.encode("Is <image>\nIs");
    expect(got.tokens).toEqual(["<s>", "▁Is", "▁", "<image>", "<0x0A>", "Is"]);
    expect(inCodePoints("Is <image>\nIs", got)).toEqual([
      [0, 0],
      [0, 2],
      [2, 3],
      [3, 10],
      [10, 11],
      [11, 13],
    ]);
  });
});

describe("the miniature models", () => {
  test("BLIP", () => {
    const at = "../weights/miniature/blip";
    const tokenizer = readTokenizer(read(`${at}/tokenizer.json`), read(`${at}/tokenizer_config.json`));
    const got = tokenizer.encode("Is this person feeling fearful or happy?");
    expect(got.ids).toEqual([2, 5, 7, 12, 13, 24, 25, 11, 26, 14, 3]);
    expect(got.words[4]).toEqual({ text: "fearful", start: 23, end: 30, first: 5, count: 2 });
    // 239 is [DEC], which the model has and the tokenizer does not.
    expect(tokenizer.decode([239, 24, 25, 3])).toBe("fearful");
    expect([
      tokenizer.idToToken(239),
      tokenizer.idToToken(5),
      tokenizer.tokenToId("is"),
      tokenizer.tokenToId("zz"),
    ]).toEqual([undefined, "is", 5, undefined]);
  });

  test("LLaVA", () => {
    const at = "../weights/miniature/llava";
    const tokenizer = readTokenizer(read(`${at}/tokenizer.json`), read(`${at}/tokenizer_config.json`));
    const text = "USER: <image>\nIs this person feeling fearful or happy? ASSISTANT:";
    const got = tokenizer.encode(text);
    checkWords(text, got, 0);
    expect(got.ids.filter((id) => id === 999).length).toBe(1);
    for (const written of ["Is it 🙂?", "é", " two  spaces "]) {
      checkWords(written, tokenizer.encode(written), 0);
      expect(tokenizer.decode(tokenizer.encode(written).ids)).toBe(written);
    }
    expect(tokenizer.encode("").words).toEqual([]);
  });
});

describe("refuses", () => {
  test.for<[string, object, object, string]>([
    ["another model", bertJson, { model: { ...bertJson.model, type: "Unigram" } }, 'model.type: got "Unigram"'],
    ["a model of no type", bertJson, { model: { ...bertJson.model, type: undefined } }, "model.type: is missing"],
    ["no vocabulary", bertJson, { model: { ...bertJson.model, vocab: [] } }, "model.vocab: got []"],
    ["another normaliser", bertJson, { normalizer: { type: "NFC" } }, 'normalizer.type: got "NFC"'],
    ["another pre-tokeniser", bertJson, { pre_tokenizer: { type: "Split" } }, 'pre_tokenizer.type: got "Split"'],
    ["another template", bertJson, { post_processor: null }, "post_processor: got null"],
    [
      "a template with an unknown token",
      bertJson,
      {
        post_processor: {
          type: "TemplateProcessing",
          single: [{ SpecialToken: { id: "[BOS]" } }, { Sequence: { id: "A" } }],
        },
      },
      'post_processor.single: inserts "[BOS]"',
    ],
    ["no added tokens", bertJson, { added_tokens: undefined }, "added_tokens: is missing"],
    ["another normaliser of LLaMA", llamaJson, { normalizer: { type: "NFC" } }, 'normalizer: got {"type":"NFC"}'],
    [
      "byte-level BPE",
      llamaJson,
      { normalizer: null, pre_tokenizer: { type: "ByteLevel" } },
      "pre_tokenizer.type: got",
    ],
  ])("%s", ([, json, change, message]) => {
    expect(() => readTokenizer({ ...json, ...change }, {})).toThrow(
      expect.objectContaining({ name: "UserError", message: expect.stringContaining(`tokenizer.json ${message}`) }),
    );
  });

  test("what is no object, and a wrong config", () => {
    expect(() => readTokenizer(null, {})).toThrow("tokenizer.json: expected a JSON object");
    expect(() => readTokenizer(bertJson, [])).toThrow("tokenizer_config.json: expected a JSON object");
    expect(() => readTokenizer(bertJson, { clean_up_tokenization_spaces: 1 })).toThrow(
      "tokenizer_config.json clean_up_tokenization_spaces: got 1",
    );
  });

  test("a text with a token that swallows the spaces around it", () => {
    const added_tokens = [
      ...bertJson.added_tokens,
      { ...bertJson.added_tokens[0], id: 30_524, content: "[X]", lstrip: true },
    ];
    const tokenizer = readTokenizer({ ...bertJson, added_tokens }, {});
    expect(tokenizer.encode("dog").ids).toEqual([101, 3899, 102]);
    expect(() => tokenizer.encode("a [X]")).toThrowErrorMatchingInlineSnapshot(
      `[UserError: tokenizer.json added_tokens: the text contains "[X]", which has single_word, lstrip, rstrip or normalized set, expected all to be false; leave it out of the text]`,
    );
  });
});

/** Words come in order, say what is written, and share out all tokens but those inserted and those of white space. */
function checkWords(text: string, { tokens, spans, words }: EncodedText, insertedBehind: number): void {
  const noWord = (from: number, to: number) => {
    for (const { start, end } of spans.slice(from, to)) expect.soft(text.slice(start, end).trim(), text).toBe("");
  };
  let next = 1;
  for (const word of words) {
    noWord(next, word.first);
    next = word.first + word.count;
    expect.soft(word.text, text).toBe(text.slice(word.start, word.end));
    expect.soft(word.text, text).toMatch(/^\S/);
    expect.soft(word.count, text).toBeGreaterThan(0);
    expect.soft(spans[next - 1]!.end, text).toBe(word.end);
  }
  noWord(next, tokens.length - insertedBehind);
}
