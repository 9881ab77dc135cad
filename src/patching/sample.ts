/** One sample in one mode through all kinds and heads: cells laid out, swept in one growing batch, scored, checked. */
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import type { Site } from "../models/sites.ts";
import { type Cell, copySpans, extent } from "./cell.ts";
import type { OriginalPlaces } from "./defects.ts";
import type { Kind } from "./kinds.ts";
import { sweepWithLens } from "./lens.ts";
import type { SamplePair } from "./pair.ts";
import { length, type Place, type PositionName, patchPlaces, placesOf, position, tokensAt } from "./positions.ts";
import { type CheckResult, type SampleRecord, scoreNames, type Table } from "./record.ts";
import { type LogitRow, type ScoreOptions, scores } from "./score.ts";
import { type SweepResult, singleCell } from "./sweep.ts";

export interface SampleOptions extends ScoreOptions, OriginalPlaces {
  readonly heads: "none" | "all" | readonly number[];
  /** Which tokens are patched in whole sites, and which head by head; default: the question's. */
  readonly positions?: readonly PositionName[];
  readonly headPositions?: readonly PositionName[];
  /** Cells of the sweep to run again one by one. */
  readonly exactCheck?: number;
  readonly signal?: AbortSignal;
}

export interface SampleResult {
  readonly clean: LogitRow;
  readonly corrupt: LogitRow;
  readonly lens: NonNullable<SampleRecord["lens"]>;
  readonly tables: Table[];
  readonly checks: CheckResult[];
  readonly cells: number;
}

/** What a table's rows are, and where its cells stand in the list of all cells; -1 where there is none. */
interface Block {
  readonly kind: Kind;
  readonly places: readonly Place[];
  readonly patches: boolean;
  readonly heads: readonly number[] | null;
  readonly dropped?: string;
  readonly at: number[];
}

export async function sweepSample(
  model: Model,
  pair: SamplePair,
  kinds: readonly Kind[],
  options: SampleOptions,
): Promise<SampleResult> {
  const cells: Cell[] = [];
  const blocks = kinds
    .flatMap((kind) => blocksOf(model, pair, kind, options))
    .map((block): Block => ({ ...block, at: block.dropped ? [] : layOut(model, pair, block, cells, options) }));
  const checks = checkCells(model, pair, kinds);
  const result = await sweepWithLens(model, pair, [...cells, ...checks.map(({ cell }) => cell)], options);
  const verdicts = checks.map(
    ({ name, against }, i): CheckResult => verdict(name, result.cells[cells.length + i]!, result[against]),
  );
  verdicts.push(result.lensCheck);
  if (options.exactCheck) verdicts.push(await exactCheck(model, pair, cells, result, options.exactCheck));
  return {
    clean: result.clean,
    corrupt: result.corrupt,
    lens: result.lens,
    tables: blocks.map((block) => table(block, result, options)),
    checks: verdicts,
    cells: cells.length,
  };
}

type Plan = Omit<Block, "at">;

/** The tables of a kind: whole sites, then the picture's patches, then single heads, as far as they are asked for. */
function blocksOf(model: Model, pair: SamplePair, kind: Kind, options: SampleOptions): Plan[] {
  const { positions = ["question"], headPositions = ["question"], headToken } = options;
  const { name, axes } = kind.sites[0]!;
  const { tokens, heads: count } = extent(axes, model.shapes(pair.base.ids.length).get(name)!.slice(1));
  const own = (names: readonly PositionName[]): Place[] =>
    placesOf(pair, tokensAt(pair, names), tokens) ??
    Array.from({ length: tokens }, (_, token) => ({ token, runs: { to: token, from: token } }));
  const plan = (places: readonly Place[], heads: readonly number[] | null = null, patches = false): Plan[] =>
    places.length === 0 ? [] : [{ kind, places, patches, heads }];
  const among = pair.base.picture !== undefined && placesOf(pair, [], tokens) !== undefined;
  const whole = [
    ...plan(own(positions)),
    ...plan(among && positions.includes("image") ? patchPlaces(pair) : [], null, true),
  ];
  const heads = options.heads === "all" ? [...Array(count).keys()] : options.heads === "none" ? [] : [...options.heads];
  if (whole.length === 0)
    throw new UserError(`positions: ${positions.join(",")} mean no token of ${name} in this prompt`);
  if (heads.length === 0 || count === 0) return whole;
  if (headToken) {
    const { token, position, dropped } = headToken;
    const places = [{ token, runs: { to: position, from: position } }];
    return [...whole, { kind, places, patches: false, heads, ...(dropped !== undefined && { dropped }) }];
  }
  const patched = among && headPositions.includes("image") ? patchPlaces(pair) : [];
  return [...whole, ...plan(own(headPositions), heads), ...plan(patched, heads, true)];
}

/** Appends a cell for every place, layer (and head); returns their numbers. */
function layOut(model: Model, pair: SamplePair, block: Plan, cells: Cell[], { residual }: SampleOptions): number[] {
  const { kind, places, heads } = block;
  const base = model.shapes(pair.base.ids.length);
  const other = model.shapes(pair.other.ids.length);
  const at: number[] = [];
  for (const { runs } of places) {
    for (const { name, axes } of kind.sites) {
      const sourceSite = heads === null ? residual?.(name) : undefined;
      for (const head of heads ?? [null]) {
        if (runs === null) {
          at.push(-1);
          continue;
        }
        const shapes = { to: base.get(name)!.slice(1), from: other.get(name)!.slice(1) };
        const place = { toToken: runs.to, fromToken: runs.from, head };
        const spans = copySpans({ site: name, axes, ...shapes, ...place });
        const source = sourceSite === undefined ? {} : { sourceSite };
        at.push(cells.push([{ site: name, source: "other", ...source, kind: "copy", factor: 0, spans }]) - 1);
      }
    }
  }
  return at;
}

function table(block: Block, result: SweepResult, options: ScoreOptions): Table {
  const { kind, places, patches, heads, dropped, at } = block;
  const rows = at.map((i) => (i === -1 ? null : scores(result.cells[i]!, result.clean, result.corrupt, options)));
  const inOrder = places.every(({ token }, i) => token === i);
  return {
    kind: kind.kind,
    sites: kind.sites.map(({ name }) => name),
    tokens: places.length,
    ...(!inOrder && !patches && { at: places.map(({ token }) => token) }),
    ...(patches && { patches: Math.sqrt(places.length) }),
    ...(dropped !== undefined && { dropped }),
    layers: kind.sites.length,
    heads: heads && [...heads],
    scores: Object.fromEntries(
      scoreNames.map((name) => [name, rows.map((row) => row?.[name] ?? null)]),
    ) as unknown as Table["scores"],
    unchanged: at.filter((i) => i !== -1 && !result.changed[i]).length,
  };
}

interface Check {
  readonly name: string;
  readonly cell: Cell;
  readonly against: "clean" | "corrupt";
}

/**
 * Two things that must hold to the bit: patching a run with its own values changes nothing, and patching all that the
 * answer depends on behind the last layer with the other run's values gives the other run's logits.
 */
function checkCells(model: Model, pair: SamplePair, kinds: readonly Kind[]): Check[] {
  const { base, other } = pair;
  const [own, foreign] =
    pair.direction === "denoising" ? (["corrupt", "clean"] as const) : (["clean", "corrupt"] as const);
  const identity = kinds.map(({ kind, sites }): Check => {
    const site = sites[Math.floor(sites.length / 2)]!;
    const { tokens } = extent(site.axes, rowShape(model, base, site));
    const first = base.picture && tokens === length(base) ? position(base, pair.questionToken) : 0;
    const cell = copyCell(model, pair, site, "base", tokens - first, [tokens, tokens]);
    return { name: `identity at ${kind}`, cell, against: own };
  });
  const last = model.sites.find(({ name, aliases }) =>
    [name, ...aliases.map((alias) => alias.name)].some((known) => lastStates(model).includes(known)),
  )!;
  const ends = [base, other].map((run) => extent(last.axes, rowShape(model, run, last)).tokens) as [number, number];
  const all = base.picture ? 1 : ends[0];
  if (!base.picture && ends[0] !== ends[1]) return identity;
  return [...identity, { name: "patch all", cell: copyCell(model, pair, last, "other", all, ends), against: foreign }];
}

/** What the answer is read from: all tokens that BLIP's decoder sees, the last one of LLaVA's last layer. */
const lastStates = ({ layers }: Model): string[] => ["text_encoder", `language_model.model.layers.${layers - 1}`];

const rowShape = (model: Model, { ids }: Input, { name }: Site): readonly number[] =>
  model.shapes(ids.length).get(name)!.slice(1);

/** The last `count` tokens of a site, which ends at these tokens in the base run and in the run that is copied from. */
function copyCell(
  model: Model,
  { base, other }: SamplePair,
  site: Site,
  source: "base" | "other",
  count: number,
  [toEnd, fromEnd]: readonly [number, number],
): Cell {
  const { name, axes } = site;
  const shapes = { to: rowShape(model, base, site), from: rowShape(model, source === "base" ? base : other, site) };
  const spans = Array.from({ length: count }, (_, i) =>
    copySpans({ site: name, axes, ...shapes, toToken: toEnd - count + i, fromToken: fromEnd - count + i, head: null }),
  ).flat();
  return [{ site: name, source, kind: "copy", factor: 0, spans }];
}

function verdict(name: string, got: LogitRow, expected: LogitRow): CheckResult {
  const ok = same(got, expected);
  const show = ({ correct, incorrect, logsumexp }: LogitRow) => [correct, incorrect, logsumexp].join(", ");
  return { name, ok, detail: ok ? "same bits" : `got ${show(got)}, expected ${show(expected)}` };
}

/** The same bits in everything that is kept of the logits, but for what depends on the run that is compared with. */
const same = (a: LogitRow, b: LogitRow) =>
  a.correct === b.correct &&
  a.incorrect === b.incorrect &&
  a.largest === b.largest &&
  a.sum === b.sum &&
  a.rank === b.rank;

/** Runs evenly spread cells again, alone and with nothing reused. */
async function exactCheck(
  model: Model,
  pair: SamplePair,
  cells: readonly Cell[],
  result: SweepResult,
  count: number,
): Promise<CheckResult> {
  const chosen = Array.from({ length: Math.min(count, cells.length) }, (_, i) =>
    Math.floor(((i + 0.5) * cells.length) / count),
  );
  for (const i of new Set(chosen)) {
    const { row } = await singleCell(model, pair, cells[i]!);
    const check = verdict(`cell ${i} at ${cells[i]![0]!.site}`, result.cells[i]!, row);
    if (!check.ok) return { ...check, name: "exact check" };
  }
  return { name: "exact check", ok: true, detail: `${new Set(chosen).size} cells, same bits alone` };
}
