/** What tokenizer.json and tokenizer_config.json say, checked: a part that this port does not compute fails by name. */
import type { BytePairRules } from "./byte-pair-spans.ts";
import { UserError } from "./errors.ts";
import type { WordPieceRules } from "./word-spans.ts";

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Left out when decoding. */
  readonly special: boolean;
  /** Found in the text exactly as it is written. */
  readonly literal: boolean;
}

/** The two files in our words. */
export interface TokenizerJson {
  readonly model:
    | { readonly type: "WordPiece"; readonly rules: WordPieceRules }
    | { readonly type: "BPE"; readonly rules: BytePairRules };
  readonly added: readonly AddedToken[];
  /** The tokens put in front of the text and behind it. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly cleanUp: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** Checks both files and keeps what tokenising needs. */
export function readTokenizerJson(tokenizer: unknown, config: unknown): TokenizerJson {
  if (!isRecord(tokenizer)) throw notAnObject("tokenizer.json");
  if (!isRecord(config)) throw notAnObject("tokenizer_config.json");
  const model = child(tokenizer, "model");
  const type = oneOf(model, "type", ["WordPiece", "BPE"], "model.");
  // Left out of the older published files, where Hugging Face takes it to be true.
  const cleanUp = config.clean_up_tokenization_spaces ?? true;
  if (typeof cleanUp !== "boolean")
    fail("clean_up_tokenization_spaces", cleanUp, "true or false", "tokenizer_config.json");
  return {
    model:
      type === "WordPiece"
        ? { type, rules: wordPieceRules(tokenizer, model) }
        : { type: "BPE", rules: bytePairRules(tokenizer, model) },
    added: addedTokens(tokenizer),
    ...template(tokenizer),
    cleanUp,
  };
}

function wordPieceRules(tokenizer: Json, model: Json): WordPieceRules {
  const normalizer = child(tokenizer, "normalizer");
  oneOf(normalizer, "type", ["BertNormalizer"], "normalizer.");
  if (normalizer.clean_text !== true) fail("normalizer.clean_text", normalizer.clean_text, "true");
  const lowerCase = flag(normalizer, "lowercase", "normalizer.");
  oneOf(child(tokenizer, "pre_tokenizer"), "type", ["BertPreTokenizer"], "pre_tokenizer.");
  oneOf(child(tokenizer, "decoder"), "type", ["WordPiece"], "decoder.");
  const vocabulary = vocab(model);
  const unknown = text(model, "unk_token", "model.");
  if (!vocabulary.has(unknown)) fail("model.unk_token", unknown, "a token of model.vocab");
  const maxCharacters = model.max_input_chars_per_word;
  if (typeof maxCharacters !== "number") fail("model.max_input_chars_per_word", maxCharacters, "a number");
  return {
    vocabulary,
    unknown,
    prefix: text(model, "continuing_subword_prefix", "model."),
    maxCharacters,
    spaceAroundCjk: flag(normalizer, "handle_chinese_chars", "normalizer."),
    // null: as the letters' case.
    stripAccents: normalizer.strip_accents === null ? lowerCase : flag(normalizer, "strip_accents", "normalizer."),
    lowerCase,
  };
}

/** The two spellings of LLaMA's "▁": a normaliser, or Metaspace; they differ behind an added token. */
function bytePairRules(tokenizer: Json, model: Json): BytePairRules {
  if (model.byte_fallback !== true) fail("model.byte_fallback", model.byte_fallback, "true");
  const vocabulary = vocab(model);
  for (let byte = 0; byte < 256; byte++) {
    const token = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    if (!vocabulary.has(token)) fail(`model.vocab.${token}`, undefined, "vocabularies with all bytes");
  }
  if (tokenizer.normalizer !== null) {
    const expected = { type: "Sequence", normalizers: [prepend, replace] };
    if (!same(tokenizer.normalizer, expected)) fail("normalizer", tokenizer.normalizer, JSON.stringify(expected));
    if (tokenizer.pre_tokenizer !== null) fail("pre_tokenizer", tokenizer.pre_tokenizer, "null");
    return { prepend: "always", beforeSpace: true };
  }
  const metaspace = child(tokenizer, "pre_tokenizer");
  oneOf(metaspace, "type", ["Metaspace"], "pre_tokenizer.");
  if (metaspace.replacement !== "▁") fail("pre_tokenizer.replacement", metaspace.replacement, '"▁"');
  if (metaspace.split !== false) fail("pre_tokenizer.split", metaspace.split, "false");
  const scheme = oneOf(metaspace, "prepend_scheme", ["always", "first", "never"], "pre_tokenizer.");
  return { prepend: scheme, beforeSpace: false };
}

const prepend = { type: "Prepend", prepend: "▁" };
const replace = { type: "Replace", pattern: { String: " " }, content: "▁" };

function addedTokens(tokenizer: Json): AddedToken[] {
  const list = tokenizer.added_tokens;
  if (!Array.isArray(list)) fail("added_tokens", list, "a list");
  return list.map((token: unknown, i): AddedToken => {
    const at = `added_tokens.${i}`;
    if (!isRecord(token)) fail(at, token, "an object");
    const { id } = token;
    if (typeof id !== "number") fail(`${at}.id`, id, "a number");
    const flags = ["single_word", "lstrip", "rstrip", "normalized"].map((name) => flag(token, name, `${at}.`));
    const literal = !flags.includes(true);
    return { id, content: text(token, "content", `${at}.`), special: flag(token, "special", `${at}.`), literal };
  });
}

function template(tokenizer: Json): { before: string[]; after: string[] } {
  const processor = child(tokenizer, "post_processor");
  oneOf(processor, "type", ["TemplateProcessing"], "post_processor.");
  const { single } = processor;
  if (!Array.isArray(single)) fail("post_processor.single", single, "a list");
  const names = single.map((item: unknown) => {
    if (isRecord(item) && isRecord(item.Sequence)) return null;
    if (isRecord(item) && isRecord(item.SpecialToken)) return text(item.SpecialToken, "id", "post_processor.single.");
    return fail("post_processor.single", item, "Sequence and SpecialToken");
  });
  const place = names.indexOf(null);
  if (place < 0 || names.lastIndexOf(null) !== place) fail("post_processor.single", single, "one Sequence");
  const tokens = (part: (string | null)[]) => part.filter((name) => name !== null);
  return { before: tokens(names.slice(0, place)), after: tokens(names.slice(place + 1)) };
}

function vocab(model: Json): Map<string, number> {
  const entries = Object.entries(child(model, "vocab", "model."));
  for (const [token, id] of entries) if (typeof id !== "number") fail(`model.vocab.${token}`, id, "a number");
  return new Map(entries as [string, number][]);
}

function child(parent: Json, name: string, at = ""): Json {
  const value = parent[name];
  return isRecord(value) ? value : fail(at + name, value, "an object");
}

function text(parent: Json, name: string, at: string): string {
  const value = parent[name];
  return typeof value === "string" ? value : fail(at + name, value, "a text");
}

function flag(parent: Json, name: string, at: string): boolean {
  const value = parent[name];
  return typeof value === "boolean" ? value : fail(at + name, value, "true or false");
}

function oneOf<T extends string>(parent: Json, name: string, allowed: readonly T[], at: string): T {
  const value = allowed.find((a) => a === parent[name]);
  return value ?? fail(at + name, parent[name], allowed.map((a) => JSON.stringify(a)).join(" or "));
}

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function fail(name: string, got: unknown, expected: string, file = "tokenizer.json"): never {
  const what = got === undefined ? "is missing" : `got ${JSON.stringify(got).slice(0, 80)}`;
  throw new UserError(
    `${file} ${name}: ${what}, this port has only ${expected}; take the file that came with the model`,
  );
}

const notAnObject = (file: string) =>
  new UserError(`${file}: expected a JSON object; take the file that came with the model`);
