/** A plan to cells with their sources, run as one sweep. */
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import { meantSites, type Site } from "../models/sites.ts";
import { piece } from "./answers.ts";
import { type Cell, copySpans, type Edit, extent, type Span, spansOf } from "./cell.ts";
import { sitePattern } from "./kinds.ts";
import { align } from "./pair.ts";
import { type From, type Plan, type PlanEdit, selectTokens } from "./plan.ts";
import { storedTensor } from "./plan-tensor.ts";
import { length, position } from "./positions.ts";
import { normalNumbers, type StoredTensor } from "./stored.ts";
import { type Pair, type SweepOptions, type SweepResult, sweepPair } from "./sweep.ts";

type Sources = NonNullable<PlanEdit["source"]>;

/** A cell with what it was in the plan, spelled out. */
export interface PlannedCell {
  readonly cell: readonly {
    site: string;
    token: number | number[];
    head: number | null;
    source?: Sources;
    from: From["kind"];
  }[];
}

/** What a plan means for a model: cells, and all that they are made of. */
export interface ReadyPlan {
  readonly pair: Pair;
  readonly cells: readonly Cell[];
  readonly planned: readonly PlannedCell[];
  readonly stored: ReadonlyMap<string, StoredTensor>;
  readonly runs: ReadonlyMap<string, Input>;
}

export interface PlanResult extends SweepResult {
  readonly planned: readonly PlannedCell[];
  readonly answers: readonly [number, number];
}

interface Context {
  readonly model: Model;
  readonly pair: Pair;
  readonly answer: string | null;
  readonly stored: Map<string, StoredTensor>;
  readonly runs: Map<string, Input>;
}

/** @throws UserError as `readyPlan` */
export const applyPlan = async (model: Model, plan: Plan, options: PlanOptions = {}): Promise<PlanResult> =>
  runPlan(model, await readyPlan(model, plan), options);

export type PlanOptions = Pick<SweepOptions, "signal" | "chunk" | "onProgress">;

export async function runPlan(model: Model, ready: ReadyPlan, options: PlanOptions = {}): Promise<PlanResult> {
  const { pair, cells, planned, stored, runs } = ready;
  const result = await sweepPair(model, pair, cells, { ...options, stored, runs });
  return { ...result, planned, answers: pair.answers };
}

/**
 * Nothing is run: the model may be one without weights (`openDry`).
 * @throws UserError for a site, token or head that matches nothing, or a tensor of another shape
 */
export async function readyPlan(model: Model, plan: Plan): Promise<ReadyPlan> {
  const clean = await model.input(plan.clean);
  const corrupt = await model.input(plan.corrupt);
  const answers = plan.answers.map((answer) => answerId(model, answer)) as [number, number];
  if (answers[0] === answers[1]) {
    throw new UserError(
      `plan.answers: ${JSON.stringify(plan.answers)} start with the same token (${answers[0]}), expected two that differ there`,
    );
  }
  const [base, other] = plan.direction === "denoising" ? [corrupt, clean] : [clean, corrupt];
  const pair: Pair = { base, other, answers, direction: plan.direction };
  const answer = typeof plan.answers[0] === "string" ? plan.answers[0] : null;
  const context: Context = { model, pair, answer, stored: new Map(), runs: new Map() };
  const cells: Cell[] = [];
  const planned: PlannedCell[] = [];
  for (const edits of plan.cells) {
    const expanded = await Promise.all(edits.map((edit) => expand(context, edit)));
    for (const combination of together(expanded)) {
      cells.push(combination.flatMap(({ edits: parts }) => parts));
      planned.push({ cell: combination.map(({ shown }) => shown) });
    }
  }
  return { pair, cells, planned, stored: context.stored, runs: context.runs };
}

function answerId(model: Model, answer: string | number): number {
  if (typeof answer === "string") return piece(model, answer, 0);
  if (answer < model.vocabSize) return answer;
  throw new UserError(`plan.answers: got id ${answer}, the vocabulary ends at ${model.vocabSize - 1}`);
}

interface Variant {
  readonly edits: readonly Edit[];
  readonly shown: PlannedCell["cell"][number];
}

/** Edits of one list vary together where they have the same number of variants; one variant goes with all. */
function together(expanded: readonly (readonly Variant[])[]): Variant[][] {
  const count = Math.max(...expanded.map(({ length }) => length));
  const uneven = expanded.find(({ length }) => length !== 1 && length !== count);
  if (uneven) {
    throw new UserError(
      `plan: edits applied together expand to ${expanded.map(({ length }) => length).join(" and ")} cells; expected equal numbers, or one`,
    );
  }
  return Array.from({ length: count }, (_, i) => expanded.map((variants) => variants[variants.length === 1 ? 0 : i]!));
}

/** A pattern of sites, "each" token and "each" head to one variant for each. */
async function expand(context: Context, edit: PlanEdit): Promise<Variant[]> {
  const { model, pair } = context;
  const runs = { input: pair.base, clean: pair.direction === "denoising" ? pair.other : pair.base };
  const sites = meantSites(model.sites, [sitePattern(edit.site, model.sites)]);
  const variants: Variant[] = [];
  for (const site of sites) {
    const shape = model.shapes(pair.base.ids.length).get(site.name)!.slice(1);
    const { tokens, heads } = extent(site.axes, shape);
    const chosen = selectTokens(model, edit.token, site.name, tokens, { ...runs, answer: context.answer });
    const headList = edit.head === "each" ? [...Array(heads).keys()] : [edit.head];
    if (edit.head === "each" && heads === 0)
      throw new UserError(`site ${site.name}: has no head axis, so head "each" matches nothing`);
    for (const group of chosen) {
      for (const head of headList) {
        const whole = group.length === tokens && group.every((token, i) => token === i);
        const edits = await editsOf(context, site, shape, whole ? [null] : group, head, edit);
        const token = group.length === 1 ? group[0]! : [...group];
        const source = edit.source === null ? {} : { source: edit.source };
        variants.push({ edits, shown: { site: site.name, token, head, ...source, from: edit.from.kind } });
      }
    }
  }
  return variants;
}

async function editsOf(
  context: Context,
  site: Site,
  shape: readonly number[],
  tokens: readonly (number | null)[],
  head: number | null,
  { from, source: sources }: PlanEdit,
): Promise<Edit[]> {
  const { pair } = context;
  const edit = (kind: Edit["kind"], source: string, factor: number, spans: readonly Span[]): Edit => ({
    site: site.name,
    kind,
    source,
    factor,
    spans: sources === null ? spans : ofSources(site, shape, spans, sources),
  });
  const own = () =>
    tokens
      .flatMap((token) => spansOf(site.name, site.axes, shape, token, head))
      .map(({ at, length }) => ({ to: at, from: at, length }));
  const copies = (input: Input) =>
    tokens.flatMap((token) => copiesOf(context.model, pair.base, site, shape, input, token, head));
  switch (from.kind) {
    case "clean":
    case "corrupt": {
      const isOther = (from.kind === "clean") === (pair.direction === "denoising");
      return [isOther ? edit("copy", "other", 0, copies(pair.other)) : edit("copy", "base", 0, own())];
    }
    case "zero":
      return [edit("fill", "base", 0, own())];
    case "minus infinity":
      if (sources !== null) return [edit("fill", "base", Number.NEGATIVE_INFINITY, own())];
      throw new UserError(
        `site ${site.name}: "-inf" for all sources of a token leaves it nothing to attend to; name some with "source": 3 or "source": [2, 4]`,
      );
    case "scale":
      return [edit("scale", "base", from.factor, own())];
    case "run": {
      const name = `run ${JSON.stringify(from.input)}`;
      const input = context.runs.get(name) ?? (await context.model.input(from.input));
      context.runs.set(name, input);
      return [edit("copy", name, 0, copies(input))];
    }
    case "noise": {
      const spans = own();
      const total = shape.reduce((a, b) => a * b, 1);
      const name = `noise ${site.name} ${from.seed}`;
      if (!context.stored.has(name)) context.stored.set(name, { data: normalNumbers(total, from.seed) });
      return [edit("add", name, from.std, spans)];
    }
    case "mean":
      return [edit("copy", await storedTensor(context.stored, from.file, site.name, site.axes, shape), 0, own())];
    case "tensor":
      return [edit("copy", await storedTensor(context.stored, from.file, from.key, site.axes, shape), 0, own())];
    case "add":
      return [
        edit("add", await storedTensor(context.stored, from.file, from.key, site.axes, shape), from.scale, own()),
      ];
  }
}

/** Of each row of scores or probabilities only the columns of these sources. */
function ofSources({ name, axes }: Site, shape: readonly number[], spans: readonly Span[], [first, last]: Sources) {
  if (axes !== "head token source") throw new UserError(`site ${name}: has no source axis; leave "source" out`);
  const width = shape[2]!;
  if (last >= width) throw new UserError(`site ${name}: got source ${last}, it has sources 0 to ${width - 1}`);
  return spans.flatMap(({ to, from, length }) =>
    Array.from({ length: length / width }, (_, row) => ({
      to: to + row * width + first,
      from: from + row * width + first,
      length: last - first + 1,
    })),
  );
}

/** Where a token of the base run stands in a run with another prompt: words are aligned as in sweeps. */
function counterpart(base: Input, input: Input, site: string, token: number, count: number): number {
  const spread = base.picture !== undefined && count === length(base);
  const offset = spread ? base.picture!.tokens - 1 : 0;
  const ofPicture = spread && token >= base.picture!.at && token <= base.picture!.at + offset;
  const isPrompt = spread || count === base.ids.length;
  if (!isPrompt || ofPicture || base.ids.length === input.ids.length) return token;
  if (!base.text || !input.text)
    throw new UserError(
      `site ${site}, token ${token}: the prompts have ${base.ids.length} and ${input.ids.length} ids, so it is not known which tokens belong together; give texts, or ids of equal number`,
    );
  const id = spread && token > base.picture!.at ? token - offset : token;
  const aligned = align(base.text, input.text)[id]!;
  if (aligned === null)
    throw new UserError(`site ${site}: token ${token} has no counterpart in the other prompt; name another token`);
  return spread ? position(input, aligned) : aligned;
}

function copiesOf(
  model: Model,
  base: Input,
  { name, axes }: Site,
  to: readonly number[],
  input: Input,
  token: number | null,
  head: number | null,
): Span[] {
  const from = model.shapes(input.ids.length).get(name)!.slice(1);
  const fromToken = token === null ? null : counterpart(base, input, name, token, extent(axes, to).tokens);
  return copySpans({ site: name, axes, to, from, toToken: token, fromToken, head });
}
