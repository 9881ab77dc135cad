/** What a sweep does at one row: replacements at sites, resolved to runs of elements. */
import { UserError } from "../models/errors.ts";
import type { Axes } from "../models/sites.ts";

/**
 * Where replaced values come from.
 * `other`: the same site of the other run (the clean one, unless the direction is noising). `base`: the base run itself.
 * Anything else names a stored tensor or a further run.
 */
export type Source = string;

/** Elements of one row of a site, as stored: `length` of them from `to` on, out of the source from `from` on. */
export interface Span {
  readonly to: number;
  readonly from: number;
  readonly length: number;
}

export interface Edit {
  /** Canonical name. */
  readonly site: string;
  readonly source: Source;
  /** The site whose values are copied, where it is another one. */
  readonly sourceSite?: string;
  readonly kind: "copy" | "fill" | "scale" | "add";
  readonly factor: number;
  readonly spans: readonly Span[];
}

/** Edits that are applied together, as one patched run. */
export type Cell = readonly Edit[];

/**
 * The elements of one token (and head) of a site whose row is stored as `shape`; `token` null means all tokens, `head`
 * null the whole width.
 * @throws UserError where the site has no such token or head
 */
export function spansOf(site: string, axes: Axes, shape: readonly number[], token: number | null, head: number | null) {
  const layout = layouts[axes](shape);
  check(site, "token", token, layout.tokens);
  check(site, "head", head, layout.heads);
  const tokens = token === null ? [...Array(layout.tokens).keys()] : [token];
  const heads = head === null ? [...Array(layout.heads || 1).keys()] : [head];
  return joined(
    tokens.flatMap((t) =>
      heads.map((h) => ({ at: t * layout.tokenStride + h * layout.headStride, length: layout.length })),
    ),
  );
}

/** Where a copy lands and where it comes from: the token may stand elsewhere in the other prompt. */
export interface CopyPlace {
  readonly site: string;
  readonly axes: Axes;
  /** Shapes of a row of the site in the base run and in the run that is copied from. */
  readonly to: readonly number[];
  readonly from: readonly number[];
  readonly toToken: number | null;
  readonly fromToken: number | null;
  readonly head: number | null;
}

/** Spans of a copy. @throws UserError where the two runs' slices have different sizes */
export function copySpans({ site, axes, to, from, toToken, fromToken, head }: CopyPlace): Span[] {
  const target = spansOf(site, axes, to, toToken, head);
  const source = spansOf(site, axes, from, fromToken, head);
  if (target.length !== source.length || target.some(({ length }, i) => length !== source[i]!.length)) {
    throw new UserError(
      `site ${site}: the two runs have shapes [${to.join(", ")}] and [${from.join(", ")}], so their slices do not fit; use prompts of equal length`,
    );
  }
  return target.map(({ at, length }, i) => ({ to: at, from: source[i]!.at, length }));
}

/** The first token that a span touches. */
export function firstToken(axes: Axes, shape: readonly number[], at: number): number {
  const { tokens, tokenStride } = layouts[axes](shape);
  return Math.floor(at / tokenStride) % tokens;
}

/** Where an element of a whole row lies in a row that leaves the tokens before `first` out. */
export function withoutFirst(axes: Axes, shape: readonly number[], first: number, at: number): number {
  const { tokens, tokenStride } = layouts[axes](shape);
  const head = Math.floor(at / (tokens * tokenStride)); // 0 where tokens come first
  return at - (head + 1) * first * tokenStride;
}

/** How many tokens and heads a site has; 0 heads where it has no head axis. */
export function extent(axes: Axes, shape: readonly number[]): { tokens: number; heads: number } {
  return layouts[axes](shape);
}

interface Layout {
  tokens: number;
  heads: number;
  tokenStride: number;
  headStride: number;
  length: number;
}

const tokenFirst = ([tokens, width]: readonly number[]): Layout => ({
  tokens: tokens!,
  heads: 0,
  tokenStride: width!,
  headStride: 0,
  length: width!,
});

const tokenHead = ([tokens, heads, dim]: readonly number[]): Layout => ({
  tokens: tokens!,
  heads: heads!,
  tokenStride: heads! * dim!,
  headStride: dim!,
  length: dim!,
});

const headFirst = ([heads, tokens, width]: readonly number[]): Layout => ({
  tokens: tokens!,
  heads: heads!,
  tokenStride: width!,
  headStride: tokens! * width!,
  length: width!,
});

const layouts: Record<Axes, (shape: readonly number[]) => Layout> = {
  "channel row column": ([channels, height, width]) => tokenFirst([channels!, height! * width!]),
  "patch hidden": tokenFirst,
  "token hidden": tokenFirst,
  "token mlp": tokenFirst,
  "token qkv": tokenFirst,
  "token dim": tokenFirst,
  "token vocab": tokenFirst,
  "token head dim": tokenHead,
  "head token dim": tokenHead,
  "head token source": headFirst,
  "head token hidden": headFirst,
  hidden: ([width]) => tokenFirst([1, width!]),
};

function check(site: string, what: string, index: number | null, count: number): void {
  if (index === null || (Number.isInteger(index) && index >= 0 && index < count)) return;
  const range = count === 0 ? `no ${what}s` : `${what}s 0 to ${count - 1}`;
  throw new UserError(`site ${site}: got ${what} ${index}, it has ${range}`);
}

/** Neighbouring runs as one, so that a whole token is one slice. */
function joined(runs: { at: number; length: number }[]): { at: number; length: number }[] {
  const out: { at: number; length: number }[] = [];
  for (const run of [...runs].sort((a, b) => a.at - b.at)) {
    const last = out.at(-1);
    if (last && last.at + last.length === run.at) last.length += run.length;
    else out.push({ ...run });
  }
  return out;
}
