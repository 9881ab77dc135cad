/** SVO-Probes' triplets, and its pictures, which the file knows by URL. */
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cells } from "./table.ts";

export type Triplet = readonly [subject: string, verb: string, object: string];

/** `s,v,o`, or the first of a Python list of such strings; else how many parts there were, 0 for an empty list. */
export function readTriplet(text: string): Triplet | number {
  const parts = firstOf(text)
    .split(",")
    .map((word) => word.trim());
  if (parts.every((word) => word === "")) return 0;
  return parts.length === 3 && parts.every((word) => word !== "") ? (parts as unknown as Triplet) : parts.length;
}

function firstOf(text: string): string {
  if (!text.trim().startsWith("[")) return text;
  const [, , first = ""] = /^\s*\[\s*(['"])((?:\\.|(?!\1)[^\\])*)\1/.exec(text) ?? [];
  return first === "[]" ? "" : first.replace(/\\(.)/g, "$1");
}

export const places = ["subj", "verb", "obj"] as const;

/** Where the triplets differ: the first flag that is set, or -1. */
export const negatedPlace = (cells: Cells): number => places.findIndex((place) => isTrue(cells[`${place}_neg`]));

const isTrue = (cell: string | undefined) => /^(?:true|1)$/i.test(cell?.trim() ?? "");

/** Words by place, out of the text of triplets as it stands: lists, longer ones and `person` are left out. */
export function tripletWords(texts: Iterable<string>): [Set<string>, Set<string>, Set<string>] {
  const words: [Set<string>, Set<string>, Set<string>] = [new Set(), new Set(), new Set()];
  for (const text of texts) {
    const parts = text.split(",");
    if (parts.length > 3) continue;
    parts.forEach((part, place) => {
      const word = part.trim();
      if (word !== "" && word !== "person" && !word.includes("'")) words[place]!.add(word);
    });
  }
  return words;
}

/** The path of a picture by its URL and id, or why there is none. */
export type FindPicture = (
  url: string,
  id: string | undefined,
) => { readonly path: string } | { readonly problem: string };

/**
 * Pictures lie in `images/`, named by their image id or by the last part of their URL.
 * Where there is an `image_urls.txt`, only its URLs count.
 */
export async function svoPictures(folder: string, urls: Iterable<string>): Promise<FindPicture> {
  const images = join(folder, "images");
  const names = existsSync(images) ? readdirSync(images) : [];
  const byId = new Map(names.map((name) => [name.replace(/\.[^.]*$/, ""), name]));
  const uses = new Map<string, Set<string>>();
  for (const url of urls) uses.set(lastPart(url), (uses.get(lastPart(url)) ?? new Set()).add(url));
  const list = join(folder, "image_urls.txt");
  const listed = existsSync(list)
    ? new Set((await readFile(list, "utf8")).split(/\r?\n/).map((line) => line.trim()))
    : null;
  const missing = { problem: "picture missing or unreadable" };
  const files = new Map(names.map((name) => [name, { path: join(images, name) }]));
  return (url, id) => {
    if (listed && !listed.has(url)) return { problem: "picture not in image_urls.txt" };
    const name = lastPart(url);
    const alone = uses.get(name)?.size === 1 ? files.get(name) : undefined;
    return (id ? files.get(byId.get(id) ?? "") : undefined) ?? alone ?? missing;
  };
}

const lastPart = (url: string): string =>
  url
    .replace(/[?#].*$/, "")
    .split("/")
    .at(-1)!;
