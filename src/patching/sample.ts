/** One sample in one mode through all kinds and heads: cells laid out, swept in one growing batch, scored, checked. */
import type { Model } from "../models/model.ts";
import { type Cell, copySpans, extent } from "./cell.ts";
import { headCount, type Kind } from "./kinds.ts";
import type { SamplePair } from "./pair.ts";
import { type CheckResult, scoreNames, type Table } from "./record.ts";
import { type LogitRow, type ScoreOptions, scores } from "./score.ts";
import { type SweepResult, singleCell, sweepPair } from "./sweep.ts";

export interface SampleOptions extends ScoreOptions {
  readonly heads: "none" | "all" | readonly number[];
  /** Cells of the sweep to run again one by one. */
  readonly exactCheck?: number;
  readonly signal?: AbortSignal;
}

export interface SampleResult {
  readonly clean: LogitRow;
  readonly corrupt: LogitRow;
  readonly tables: Table[];
  readonly checks: CheckResult[];
  readonly cells: number;
}

/** Where a table's cells stand in the list of all cells; -1 where there is none. */
interface Block {
  readonly kind: Kind;
  readonly tokens: number;
  readonly heads: number[] | null;
  readonly at: number[];
}

export async function sweepSample(
  model: Model,
  pair: SamplePair,
  kinds: readonly Kind[],
  options: SampleOptions,
): Promise<SampleResult> {
  const cells: Cell[] = [];
  const blocks = kinds.flatMap((kind) => {
    const count = headCount(model, kind, pair.base.ids.length);
    const heads =
      options.heads === "all" ? [...Array(count).keys()] : options.heads === "none" ? [] : [...options.heads];
    const whole = layOut(model, pair, kind, null, cells);
    return heads.length > 0 && count > 0 ? [whole, layOut(model, pair, kind, heads, cells)] : [whole];
  });
  const checks = checkCells(model, pair, kinds);
  const result = await sweepPair(model, pair, [...cells, ...checks.map(({ cell }) => cell)], options);
  const verdicts = checks.map(
    ({ name, against }, i): CheckResult => verdict(name, result.cells[cells.length + i]!, result[against]),
  );
  if (options.exactCheck) verdicts.push(await exactCheck(model, pair, cells, result, options.exactCheck));
  return {
    clean: result.clean,
    corrupt: result.corrupt,
    tables: blocks.map((block) => table(block, result, options)),
    checks: verdicts,
    cells: cells.length,
  };
}

/** Appends a cell for every token, layer (and head) of a kind. */
function layOut(model: Model, pair: SamplePair, kind: Kind, heads: number[] | null, cells: Cell[]): Block {
  const base = model.shapes(pair.base.ids.length);
  const other = model.shapes(pair.other.ids.length);
  const tokens = tokenCount(model, pair, kind);
  const at: number[] = [];
  for (let token = 0; token < tokens; token++) {
    for (const { name, axes } of kind.sites) {
      for (const head of heads ?? [null]) {
        const place = placeOf(pair, token, tokens);
        if (place === null) {
          at.push(-1);
          continue;
        }
        const spans = copySpans({
          site: name,
          axes,
          to: base.get(name)!.slice(1),
          from: other.get(name)!.slice(1),
          ...place,
          head,
        });
        at.push(cells.push([{ site: name, source: "other", kind: "copy", factor: 0, spans }]) - 1);
      }
    }
  }
  return { kind, tokens, heads, at };
}

/** The prompt's own tokens where the site has them; else (the decoder, the picture) all that the site has. */
function tokenCount(model: Model, pair: SamplePair, kind: Kind): number {
  const { name, axes } = kind.sites[0]!;
  const { tokens } = extent(axes, model.shapes(pair.base.ids.length).get(name)!.slice(1));
  return tokens === pair.base.ids.length ? pair.tokens.length : tokens;
}

/** Where a token of the clean prompt lies in the run that is patched and in the run that is copied from. */
function placeOf(pair: SamplePair, token: number, tokens: number): { toToken: number; fromToken: number } | null {
  const aligned = tokens === pair.tokens.length ? pair.alignment[token]! : token;
  if (aligned === null) return null;
  return pair.direction === "denoising"
    ? { toToken: aligned, fromToken: token }
    : { toToken: token, fromToken: aligned };
}

function table({ kind, tokens, heads, at }: Block, result: SweepResult, options: SampleOptions): Table {
  const rows = at.map((i) => (i === -1 ? null : scores(result.cells[i]!, result.clean, result.corrupt, options)));
  return {
    kind: kind.kind,
    sites: kind.sites.map(({ name }) => name),
    tokens,
    layers: kind.sites.length,
    heads,
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
 * decoder sees of the question with the other run's values gives the other run's logits.
 */
function checkCells(model: Model, pair: SamplePair, kinds: readonly Kind[]): Check[] {
  const base = model.shapes(pair.base.ids.length);
  const [own, foreign] =
    pair.direction === "denoising" ? (["corrupt", "clean"] as const) : (["clean", "corrupt"] as const);
  const identity = kinds.map(({ kind, sites }): Check => {
    const { name, axes } = sites[Math.floor(sites.length / 2)]!;
    const shape = base.get(name)!.slice(1);
    const spans = copySpans({ site: name, axes, to: shape, from: shape, toToken: null, fromToken: null, head: null });
    return {
      name: `identity at ${kind}`,
      cell: [{ site: name, source: "base", kind: "copy", factor: 0, spans }],
      against: own,
    };
  });
  if (pair.base.ids.length !== pair.other.ids.length) return identity;
  const last = model.sites.find(({ aliases }) => aliases.some(({ name }) => name === "text_encoder"))!;
  const shape = base.get(last.name)!.slice(1);
  const spans = copySpans({
    site: last.name,
    axes: last.axes,
    to: shape,
    from: shape,
    toToken: null,
    fromToken: null,
    head: null,
  });
  return [
    ...identity,
    {
      name: "patch all",
      cell: [{ site: last.name, source: "other", kind: "copy", factor: 0, spans }],
      against: foreign,
    },
  ];
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
