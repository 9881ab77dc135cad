/**
 * A sample in one mode through all kinds and heads: cells laid out, swept in one growing batch, perhaps with other
 * samples', scored, checked.
 */
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import { type Cell, copySpans, extent } from "./cell.ts";
import { type Check, checkCells, exactCheck, notApplicable, verdict } from "./checks.ts";
import type { OriginalPlaces } from "./defects.ts";
import type { Kind } from "./kinds.ts";
import { type LensResult, sweepWithLens } from "./lens.ts";
import type { SamplePair } from "./pair.ts";
import { length, type Place, type PositionName, patchPlaces, placesOf, tokensAt } from "./positions.ts";
import { type CheckResult, type SampleRecord, scoreNames, type Table } from "./record.ts";
import { type LogitRow, type ScoreOptions, scores } from "./score.ts";
import type { Patched, SweepResult } from "./sweep.ts";

export interface SampleOptions extends ScoreOptions, OriginalPlaces {
  readonly heads: "none" | "all" | readonly number[];
  /** Which tokens are patched in whole sites, and which head by head; default: the question's. */
  readonly positions?: readonly PositionName[];
  readonly headPositions?: readonly PositionName[];
  /** Cells of the sweep to run again one by one. */
  readonly exactCheck?: number;
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

/** A sample with all its cells, those of the checks last. */
export interface LaidOut extends Patched {
  readonly pair: SamplePair;
  readonly blocks: readonly Block[];
  readonly checks: readonly Check[];
  readonly options: SampleOptions;
}

/** @throws UserError for positions that mean no token of a site */
export function layOut(model: Model, pair: SamplePair, kinds: readonly Kind[], options: SampleOptions): LaidOut {
  const cells: Cell[] = [];
  const blocks = kinds
    .flatMap((kind) => blocksOf(model, pair, kind, options))
    .map((block): Block => ({ ...block, at: block.dropped ? [] : cellsOf(model, pair, block, cells, options) }));
  const checks = checkCells(model, pair, kinds);
  return { pair, cells: [...cells, ...checks.map(({ cell }) => cell)], blocks, checks, options };
}

/** Samples of one form (`formOf`) in one batch. */
export async function sweepSamples(
  model: Model,
  samples: readonly LaidOut[],
  signal?: AbortSignal,
): Promise<SampleResult[]> {
  const results = await sweepWithLens(model, samples, signal ? { signal } : {});
  const found: SampleResult[] = [];
  for (const [i, sample] of samples.entries()) found.push(await sampleResult(model, sample, results[i]!));
  return found;
}

async function sampleResult(model: Model, sample: LaidOut, result: LensResult): Promise<SampleResult> {
  const { pair, blocks, checks, options } = sample;
  const cells = sample.cells.slice(0, sample.cells.length - checks.length);
  const verdicts = checks.map(
    ({ name, against }, i): CheckResult => verdict(name, result.cells[cells.length + i]!, result[against]),
  );
  verdicts.push(result.lensCheck, ...notApplicable(pair));
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
  const among = pair.base.picture !== undefined && tokens === length(pair.base);
  const mean = (names: readonly PositionName[], plans: readonly Plan[]) => {
    if (plans.length > 0) return plans;
    throw new UserError(`positions: ${names.join(",")} mean no token of ${name} in this prompt`);
  };
  const whole = mean(positions, [
    ...plan(own(positions)),
    ...plan(among && positions.includes("image") ? patchPlaces(pair) : [], null, true),
  ]);
  const heads = options.heads === "all" ? [...Array(count).keys()] : options.heads === "none" ? [] : [...options.heads];
  if (heads.length === 0 || count === 0) return [...whole];
  if (headToken) {
    const { token, position, dropped } = headToken;
    const places = [{ token, runs: { to: position, from: position } }];
    return [...whole, { kind, places, patches: false, heads, ...(dropped !== undefined && { dropped }) }];
  }
  const patched = among && headPositions.includes("image") ? patchPlaces(pair) : [];
  return [...whole, ...mean(headPositions, [...plan(own(headPositions), heads), ...plan(patched, heads, true)])];
}

/** Appends a cell for every place, layer (and head); returns their numbers. */
function cellsOf(model: Model, pair: SamplePair, block: Plan, cells: Cell[], { residual }: SampleOptions): number[] {
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
