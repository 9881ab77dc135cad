/** Plans: which values are replaced by which, as JSON (DESIGN 6). Parsed and resolved here, before anything runs. */
import { UserError } from "../models/errors.ts";
import type { Input, InputSource, Model } from "../models/model.ts";
import { nearest } from "../models/nearest.ts";
import { length, position } from "./positions.ts";

export interface Plan {
  readonly model?: string;
  readonly clean: InputSource;
  readonly corrupt: InputSource;
  /** Correct and incorrect: words, or ids. */
  readonly answers: readonly [string | number, string | number];
  readonly cells: readonly (readonly PlanEdit[])[];
  readonly direction: "denoising" | "noising";
}

export interface PlanEdit {
  /** A site, a pattern, a kind of NOTICE or a name of TransformerLens. */
  readonly site: string;
  readonly token: TokenSelector;
  /** A head, each head as a cell of its own, or the whole width. */
  readonly head: number | "each" | null;
  /** Of a site with a source axis (`.scores`, `.probs`): the sources that are read, first and last; null means all. */
  readonly source: readonly [number, number] | null;
  readonly from: From;
}

export type TokenSelector = number | readonly [number, number] | string;

export type From =
  | { readonly kind: "clean" | "corrupt" | "zero" | "minus infinity" }
  | { readonly kind: "mean"; readonly file: string }
  | { readonly kind: "noise"; readonly std: number; readonly seed: number }
  | { readonly kind: "tensor"; readonly file: string; readonly key: string }
  | { readonly kind: "run"; readonly input: InputSource }
  | { readonly kind: "scale"; readonly factor: number }
  | { readonly kind: "add"; readonly file: string; readonly key: string; readonly scale: number };

/** Words that a token selector may be, beside `word:X` and `image[r,c]`. */
const tokenWords = ["all", "each", "last", "answer", "image"] as const;

/** @throws UserError naming the place in the plan, what was got and what was expected */
export function readPlan(json: unknown): Plan {
  const plan = fields("plan", json, ["model", "clean", "corrupt", "answers", "cells", "direction"]);
  const cells = list("plan.cells", plan.cells).map((cell, i) =>
    Array.isArray(cell)
      ? list(`plan.cells[${i}]`, cell).map((edit, j) => readEdit(`plan.cells[${i}][${j}]`, edit))
      : [readEdit(`plan.cells[${i}]`, cell)],
  );
  const answers = list("plan.answers", plan.answers);
  if (answers.length !== 2 || !answers.every((answer) => typeof answer === "string" || isId(answer))) {
    throw wrong("plan.answers", plan.answers, "two words or two token ids, the correct one first");
  }
  const direction = plan.direction ?? "denoising";
  if (direction !== "denoising" && direction !== "noising")
    throw wrong("plan.direction", direction, '"denoising" or "noising"');
  if (plan.model !== undefined && typeof plan.model !== "string")
    throw wrong("plan.model", plan.model, "a model's name");
  return {
    ...(plan.model === undefined ? {} : { model: plan.model }),
    clean: readInput("plan.clean", plan.clean),
    corrupt: readInput("plan.corrupt", plan.corrupt),
    answers: [answers[0], answers[1]] as [string | number, string | number],
    cells,
    direction,
  };
}

const isRange = (value: unknown): value is [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every(isId) && value[0] <= value[1];
const isId = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;

function readInput(where: string, json: unknown): InputSource {
  const { image, text, inputs } = fields(where, json, ["image", "text", "inputs"]);
  if (typeof inputs === "string" && image === undefined && text === undefined) return { inputs };
  if (typeof image === "string" && typeof text === "string" && inputs === undefined) return { image, text };
  throw wrong(where, json, '{ "image": FILE, "text": TEXT } or { "inputs": FILE }');
}

function readEdit(where: string, json: unknown): PlanEdit {
  const edit = fields(where, json, ["site", "token", "head", "source", "from"]);
  if (typeof edit.site !== "string") throw wrong(`${where}.site`, edit.site, "the name of a site");
  return {
    site: edit.site,
    token: readToken(`${where}.token`, edit.token),
    head: readHead(`${where}.head`, edit.head),
    source: readSource(`${where}.source`, edit.source),
    from: readFrom(`${where}.from`, edit.from ?? "clean", edit.site),
  };
}

function readToken(where: string, value: unknown): TokenSelector {
  if (isId(value)) return value as number;
  if (isRange(value)) return value;
  if (typeof value === "string") {
    if (
      (tokenWords as readonly string[]).includes(value) ||
      /^word:.+$/.test(value) ||
      /^image\[\d+,\d+\]$/.test(value)
    )
      return value;
  }
  throw wrong(where, value, `a token's number, [first, last], "${tokenWords.join('", "')}", "word:X" or "image[r,c]"`);
}

function readHead(where: string, value: unknown): number | "each" | null {
  if (value === undefined || value === null) return null;
  if (value === "each" || isId(value)) return value as number | "each";
  throw wrong(where, value, 'a head\'s number, "each", or nothing for the whole width');
}

function readSource(where: string, value: unknown): readonly [number, number] | null {
  if (value === undefined || value === null) return null;
  if (isId(value)) return [value as number, value as number];
  if (isRange(value)) return value;
  throw wrong(where, value, "a source token's number, [first, last], or nothing for all of them");
}

function readFrom(where: string, value: unknown, site: string): From {
  if (value === "clean" || value === "corrupt" || value === "zero") return { kind: value };
  if (value === "-inf") {
    if (/\.scores$|hook_attn_scores$/.test(site)) return { kind: "minus infinity" };
    throw new UserError(
      `${where}: "-inf" cuts attention and belongs to a site that ends in .scores, got site "${site}"`,
    );
  }
  const source = fields(where, value, ["mean", "noise", "tensor", "key", "run", "scale", "add"]);
  const { mean, noise, tensor, key, run, scale, add } = source;
  const only = (...names: string[]) => Object.keys(source).every((name) => names.includes(name));
  if (typeof mean === "string" && only("mean")) return { kind: "mean", file: mean };
  if (noise !== undefined && only("noise")) {
    const { std, seed } = fields(`${where}.noise`, noise, ["std", "seed"]);
    if (typeof std === "number" && std >= 0 && isId(seed)) return { kind: "noise", std, seed: seed as number };
    throw wrong(`${where}.noise`, noise, '{ "std": number, "seed": whole number }');
  }
  if (typeof tensor === "string" && typeof key === "string" && only("tensor", "key"))
    return { kind: "tensor", file: tensor, key };
  if (run !== undefined && only("run")) return { kind: "run", input: readInput(`${where}.run`, run) };
  const factor = scale ?? 1;
  if (typeof add === "string" && typeof key === "string" && typeof factor === "number" && only("add", "key", "scale"))
    return { kind: "add", file: add, key, scale: factor };
  if (typeof scale === "number" && only("scale")) return { kind: "scale", factor: scale };
  throw wrong(
    where,
    value,
    '"clean", "corrupt", "zero", "-inf", {mean}, {noise}, {tensor, key}, {run}, {scale} or {add, key, scale}',
  );
}

/** An object without unknown fields. */
function fields(where: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(where, value, `an object with ${known.join(", ")}`);
  const stranger = Object.keys(value).find((name) => !known.includes(name));
  if (stranger === undefined) return value as Record<string, unknown>;
  throw new UserError(
    `${where}: has unknown field "${stranger}"; nearest: "${nearest(stranger, known, 1)[0]}"; expected ${known.join(", ")}`,
  );
}

function list(where: string, value: unknown): unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw wrong(where, value, "a list that is not empty");
}

const wrong = (where: string, got: unknown, expected: string) =>
  new UserError(`${where}: got ${JSON.stringify(got) ?? "nothing"}, expected ${expected}`);

/** Which tokens a selector means. `each` gives a list a token, the others one list. */
export function selectTokens(
  model: Model,
  selector: TokenSelector,
  site: string,
  count: number,
  run: SelectedRun,
): (readonly number[])[] {
  const all = [...Array(count).keys()];
  if (typeof selector === "number") return [[selector]];
  if (selector === "each") return all.map((token) => [token]);
  if (selector === "all") return [all];
  if (selector === "last") return [[count - 1]];
  if (typeof selector !== "string") {
    const [first, last] = selector;
    if (last < count) return [all.slice(first, last + 1)];
    throw new UserError(`site ${site}: got tokens ${first} to ${last}, it has tokens 0 to ${count - 1}`);
  }
  if (selector === "image" || selector.startsWith("image[")) return [imageTokens(selector, site, count, run.input)];
  const among = run.input.picture !== undefined && count === length(run.input);
  const placed = (tokens: readonly number[]) => [among ? tokens.map((token) => position(run.input, token)) : tokens];
  const word = selector === "answer" ? run.answer : selector.slice("word:".length);
  if (word === null) throw new UserError(`token "answer": the answers were given as ids; name the tokens by number`);
  const found = model.findWord(run.input, word);
  if (found.length > 0) return placed(found);
  // A corrupt prompt may have another word where the clean one has the answer.
  const meant = selector === "answer" && run.clean.ids.length === run.input.ids.length;
  const place = meant ? model.findWord(run.clean, word) : [];
  if (place.length > 0) return placed(place);
  const known = run.input.text?.words.map(({ text }) => text) ?? [];
  throw new UserError(
    `token "${selector}": the prompt has no word "${word}"; nearest: ${nearest(word, known).join(", ") || "none"}`,
  );
}

export interface SelectedRun {
  /** The run that is patched. */
  readonly input: Input;
  readonly clean: Input;
  /** The correct answer, null where it was given as an id. */
  readonly answer: string | null;
}

/** Patches by row and column: of a vision tower, whose token 0 is the class token, or among the words of a prompt. */
function imageTokens(selector: string, site: string, count: number, input: Input): number[] {
  const among = input.picture !== undefined && count === length(input);
  const offset = among ? input.picture!.at : /patch_embedding|^multi_modal_projector/.test(site) ? 0 : 1;
  const patches = among ? input.picture!.tokens : count - offset;
  const side = Math.sqrt(patches);
  if (!(among || /^(vision_|multi_modal_)/.test(site)) || !Number.isInteger(side)) {
    throw new UserError(
      `token "${selector}": site ${site} has no image tokens; the vision tower has, and a language model that reads the picture`,
    );
  }
  if (selector === "image") return Array.from({ length: patches }, (_, i) => i + offset);
  const [row, column] = selector.slice("image[".length, -1).split(",").map(Number) as [number, number];
  if (row < side && column < side) return [offset + row * side + column];
  throw new UserError(
    `token "${selector}": the picture has ${side} x ${side} patches, rows and columns 0 to ${side - 1}`,
  );
}
