/**
 * Text to token ids and back, with the place in the text that each token came from.
 * WordPiece (BLIP's BERT) is our own, because it must know the places and lower-case as Rust does;
 * BPE (LLaVA's LLaMA) and decoding are @huggingface/tokenizers'.
 */
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { bytePairs } from "./byte-pair-spans.ts";
import { UserError } from "./errors.ts";
import { type AddedToken, readTokenizerJson } from "./tokenizer-json.ts";
import { type Piece, type Section, type Span, wordPieces } from "./word-spans.ts";

export type { Span } from "./word-spans.ts";

export interface Word extends Span {
  /** As it is written in the text. */
  readonly text: string;
  /** Its tokens are first .. first + count - 1. */
  readonly first: number;
  readonly count: number;
}

export interface EncodedText {
  readonly ids: number[];
  readonly tokens: string[];
  /** UTF-16 offsets in the text, one for each token; 0 to 0 for the tokens that the tokenizer inserts. */
  readonly spans: Span[];
  /** In the order of the text; the tokens that the tokenizer inserts belong to none, nor do those of white space. */
  readonly words: Word[];
}

export interface Tokenizer {
  encode(text: string): EncodedText;
  /** The text of the tokens, special ones left out unless asked for; ids that the tokenizer does not know are skipped. */
  decode(ids: readonly number[], options?: { readonly skipSpecial?: boolean }): string;
  idToToken(id: number): string | undefined;
  tokenToId(token: string): number | undefined;
}

/** Reads the contents of tokenizer.json and tokenizer_config.json; what would be tokenised otherwise fails by name. */
export function readTokenizer(tokenizerJson: unknown, tokenizerConfig: unknown): Tokenizer {
  const { model, added, before, after, cleanUp } = readTokenizerJson(tokenizerJson, tokenizerConfig);
  const library = new Library(tokenizerJson as object, tokenizerConfig as object);
  const idToToken = (id: number) => library.id_to_token(id);
  const tokenToId = (token: string) => library.token_to_id(token);
  for (const token of [...before, ...after])
    if (tokenToId(token) === undefined)
      throw new UserError(
        `tokenizer.json post_processor.single: inserts ${JSON.stringify(token)}, expected a token of model.vocab or ` +
          "added_tokens; take the file that came with the model",
      );
  const special = new Set(added.filter((token) => token.special).map((token) => token.id));

  function encode(text: string): EncodedText {
    const sections = splitAtAdded(text, added);
    const groups =
      model.type === "WordPiece"
        ? sections.flatMap((section) => (section.added ? [[whole(section)]] : wordPieces(section, model.rules)))
        : bytePairs(library.tokenize(text), sections, model.rules);
    const inserted = (tokens: readonly string[]): Piece[] => tokens.map((token) => ({ token, start: 0, end: 0 }));
    const pieces = [...inserted(before), ...groups.flat(), ...inserted(after)];
    return {
      ids: pieces.map(({ token }) => tokenToId(token)!),
      tokens: pieces.map(({ token }) => token),
      spans: pieces.map(({ start, end }) => ({ start, end })),
      words: words(text, groups, before.length),
    };
  }

  function decode(ids: readonly number[], { skipSpecial = true } = {}): string {
    const known = ids.filter((id) => idToToken(id) !== undefined && !(skipSpecial && special.has(id)));
    return known.length === 0 ? "" : library.decode(known, { clean_up_tokenization_spaces: cleanUp });
  }

  return { encode, decode, idToToken, tokenToId };
}

const whole = ({ text, start }: Section): Piece => ({ token: text, start, end: start + text.length });

/** Cuts the text at the tokens that are written out in it, such as `[SEP]` or `<image>`. */
function splitAtAdded(text: string, added: readonly AddedToken[]): Section[] {
  for (const token of added)
    if (!token.literal && text.toLowerCase().includes(token.content.toLowerCase()))
      throw new UserError(
        `tokenizer.json added_tokens: the text contains ${JSON.stringify(token.content)}, which has single_word, lstrip, ` +
          "rstrip or normalized set, expected all to be false; leave it out of the text",
      );
  const literals = added.map((token) => token.content).sort((a, b) => b.length - a.length);
  if (literals.length === 0) return text === "" ? [] : [{ text, start: 0, added: false }];
  const pattern = new RegExp(`(${literals.map((t) => t.replace(/[^\w\s]/g, "\\$&")).join("|")})`);
  let start = 0;
  const sections = text.split(pattern).map((part, i) => {
    const section = { text: part, start, added: i % 2 === 1 };
    start += part.length;
    return section;
  });
  return sections.filter((section) => section.text !== "");
}

/** The words behind the groups of pieces, without the white space that LLaMA's pieces carry in front. */
function words(text: string, groups: readonly (readonly Piece[])[], inserted: number): Word[] {
  const found: Word[] = [];
  let first = inserted;
  for (const group of groups) {
    const written = text.slice(group[0]!.start, group.at(-1)!.end);
    const bare = written.trimStart();
    const end = group.at(-1)!.end;
    if (bare !== "") found.push({ text: bare, start: end - bare.length, end, first, count: group.length });
    first += group.length;
  }
  return found;
}
