/** What a sweep checks of itself: cells whose outcome is known, and cells run again alone. */
import type { Input, Model } from "../models/model.ts";
import type { Site } from "../models/sites.ts";
import { type Cell, copySpans, extent } from "./cell.ts";
import type { Kind } from "./kinds.ts";
import type { SamplePair } from "./pair.ts";
import { length, position } from "./positions.ts";
import type { CheckResult } from "./record.ts";
import type { LogitRow } from "./score.ts";
import { type SweepResult, singleCell } from "./sweep.ts";

export interface Check {
  readonly name: string;
  readonly cell: Cell;
  readonly against: "clean" | "corrupt";
}

/**
 * Two things that must hold to the bit: patching a run with its own values changes nothing, and patching all that the
 * answer depends on behind the last layer with the other run's values gives the other run's logits.
 */
export function checkCells(model: Model, pair: SamplePair, kinds: readonly Kind[]): Check[] {
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

/** Without as many tokens in both prompts there is no patching all that BLIP's decoder sees. */
export function notApplicable({ base, other }: SamplePair): CheckResult[] {
  if (base.picture || base.ids.length === other.ids.length) return [];
  const detail = `not applicable: the prompts have ${base.ids.length} and ${other.ids.length} tokens`;
  return [{ name: "patch all", ok: true, detail }];
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

export function verdict(name: string, got: LogitRow, expected: LogitRow): CheckResult {
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
export async function exactCheck(
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
