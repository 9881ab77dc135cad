/** How many word pieces words have to a model, and which pieces of two prompts stand for each other. */
import { openFolder } from "#files";
import { hashOf } from "../models/hash.ts";
import { findModel } from "../models/load.ts";
import { readTokenizer } from "../models/tokenizer.ts";

export interface Pieces {
  /** The model's name, and the hash of its tokenizer.json. */
  readonly name: string;
  readonly sha256: string;
  /** The pieces of a text of one word. */
  count(word: string): number;
  /**
   * For each token of the clean prompt its index in the corrupt one, `-` for none; words stand for words, in order,
   * and the pieces of a word are aligned from its end. Empty where the prompts have unequal numbers of words.
   */
  align(clean: string, corrupt: string): string;
}

/** Where the words of a prompt stand among its tokens. */
interface Places {
  readonly words: readonly { readonly first: number; readonly count: number }[];
  readonly length: number;
}

export async function openPieces(model: string): Promise<Pieces> {
  const folder = await openFolder(findModel(model));
  const json = (await folder.json("tokenizer.json")) as { model?: { type?: unknown } };
  const { encode } = readTokenizer(json, await folder.json("tokenizer_config.json"));
  const whole = (prompt: string): Places => {
    const { words, ids } = encode(prompt);
    return { words, length: ids.length };
  };
  // To WordPiece a word is the same anywhere; to byte pairs it depends on what stands before it.
  const places = json.model?.type === "WordPiece" ? wordByWord(whole) : whole;
  const counts = new Map<string, number>();
  const count = (word: string) => places(`a ${word}`).words.reduce((sum, place) => sum + place.count, 0) - 1;
  return {
    name: model,
    sha256: hashOf(await folder.bytes("tokenizer.json")),
    count(word) {
      const known = counts.get(word) ?? count(word);
      counts.set(word, known);
      return known;
    },
    align: (clean, corrupt) => alignment(places(clean), places(corrupt)),
  };
}

/** What is between white space is encoded once: `car?` has two words. */
function wordByWord(encode: (text: string) => Places): (prompt: string) => Places {
  const known = new Map<string, readonly number[]>();
  const empty = encode("");
  const before = encode("a").words[0]!.first;
  const counts = (part: string): readonly number[] => {
    const found = known.get(part) ?? encode(part).words.map(({ count }) => count);
    known.set(part, found);
    return found;
  };
  return (prompt) => {
    let first = before;
    const words = prompt.split(/\s+/).flatMap((part) =>
      (part === "" ? [] : counts(part)).map((count) => {
        first += count;
        return { first: first - count, count };
      }),
    );
    return { words, length: first + empty.length - before };
  };
}

/** Tokens before the first word and after the last, which the tokenizer inserts, stand for each other as well. */
function alignment(clean: Places, corrupt: Places): string {
  if (clean.words.length !== corrupt.words.length || clean.words.length === 0) return "";
  const indices = new Array<number | "-">(clean.length).fill("-");
  for (let i = 0; i < Math.min(clean.words[0]!.first, corrupt.words[0]!.first); i++) indices[i] = i;
  clean.words.forEach(({ first, count }, i) => {
    const other = corrupt.words[i]!;
    for (let back = 1; back <= Math.min(count, other.count); back++)
      indices[first + count - back] = other.first + other.count - back;
  });
  const end = ({ first, count }: Places["words"][number]) => first + count;
  const rest = Math.min(clean.length - end(clean.words.at(-1)!), corrupt.length - end(corrupt.words.at(-1)!));
  for (let back = 1; back <= rest; back++) indices[clean.length - back] = corrupt.length - back;
  return indices.join(" ");
}
