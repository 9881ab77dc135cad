/** What a sweep costs, found by a dry run of the same code: cells, multiply-adds, memory. Nothing is computed. */
import type { DataRow } from "../data/samples.ts";
import type { Tensor } from "../kernels/tensor.ts";
import type { Input, Model } from "../models/model.ts";
import type { Axes } from "../models/sites.ts";
import { extent } from "./cell.ts";
import { MOST_PAIRS } from "./chunks.ts";
import type { SamplePair } from "./pair.ts";
import { position } from "./positions.ts";
import type { RunSettings, Table } from "./record.ts";
import { type Outcome, sweepUnits, type UnitSettings } from "./units.ts";

export interface SweepCost {
  /** Samples times modes, and how many of them were counted; the rest is taken to be like these. */
  readonly sweeps: number;
  readonly counted: number;
  /** Why the first of the others that were looked at cannot be swept. */
  readonly failed?: string;
  readonly cells: number;
  /** Multiply-adds count 2. */
  readonly flop: number;
  /** What no exact method could do without: see `idealFlop`. */
  readonly ideal: number;
  /** Device memory that those which were counted take, weights included, and the weights alone. */
  readonly bytes: number;
  readonly weightBytes: number;
}

export type CostSettings = UnitSettings & Pick<RunSettings, "modes">;

/**
 * The cost of sweeping `samples`, counted on about `most` sweeps.
 * @param model loaded on a dry device (`openDry`)
 */
export async function sweepCost(
  model: Model,
  samples: readonly DataRow[],
  settings: CostSettings,
  most = 16,
): Promise<SweepCost> {
  const { gpu } = model;
  const weightBytes = gpu.bytes;
  const chosen = someOf(samples, Math.ceil(most / settings.modes.length));
  const units = chosen.flatMap((sample) => settings.modes.map((mode) => ({ sample, mode })));
  const before = gpu.flop;
  const swept: Swept[] = [];
  let failed: string | undefined;
  for await (const outcome of sweepUnits(model, units, settings)) {
    if ("failed" in outcome) failed ??= outcome.failed.message;
    else swept.push(outcome);
  }
  const [flop, bytes] = [gpu.flop - before, gpu.bytes]; // the ideal takes forwards too
  const idealOf = idealFlop(model);
  const sum = (amount: (one: Swept) => number) => swept.reduce((total, one) => total + amount(one), 0);
  const sweeps = samples.length * settings.modes.length;
  const all = (amount: number) => Math.round((amount * sweeps) / Math.max(swept.length, 1));
  return {
    sweeps,
    counted: swept.length,
    cells: all(sum(({ result }) => result.cells)),
    flop: all(flop),
    ideal: all(sum(({ pair, result }) => idealOf(pair, result.tables))),
    bytes,
    weightBytes,
    ...(failed !== undefined && { failed }),
  };
}

type Swept = Extract<Outcome, { result: unknown }>;

type Ideal = (pair: SamplePair, tables: readonly Table[]) => number;

/**
 * The least that an exact sweep needs: each picture once, both runs, and for every cell what its replacement can change
 * of the answer: the replaced token alone up to the next self-attention, from there on all tokens, or those behind it
 * where the model is causal; and of what only the last token is read, that one.
 */
function idealFlop(model: Model): Ideal {
  const marksOf = new Map<number, SiteMarks>();
  const known = new Set<string>();
  const place = new Map(model.sites.map(({ name }, i) => [name, i]));
  const lastOnly = new Set(model.lastTokenSites);
  const mixing = model.sites.map(({ name }) => /(self_attn|\battention\.self)\.v$/.test(name));
  return ({ base, other }, tables) => {
    const words = base.ids.length;
    const marks = marksOf.get(words) ?? siteMarks(model, base);
    marksOf.set(words, marks);
    const pictures = new Set([base.imageKey, other.imageKey].filter((key) => !known.has(key)));
    for (const key of pictures) known.add(key);
    let flop = pictures.size * marks.picture + 2 * marks.total;
    for (const { sites, tokens, at, heads, patches } of tables) {
      for (const name of sites) {
        const own = extent(...axesAndShape(model, words, name)).tokens;
        const site = place.get(name)!;
        const next = mixing.indexOf(true, site + 1);
        const boundary = next === -1 ? marks.total : marks.at[next]!;
        const alone = (boundary - marks.at[site]!) / (lastOnly.has(name) ? 1 : own);
        const mixed = Math.max(0, marks.shared - boundary);
        const ending = marks.total - Math.max(marks.shared, boundary);
        for (let row = 0; row < tokens; row++) {
          const token = patches === undefined ? position(base, at?.[row] ?? row) : base.picture!.at + row;
          const behind = base.picture ? (own - token) / own : 1;
          const unread = lastOnly.has(name) && token < own - 1;
          flop += (heads?.length ?? 1) * (unread ? 0 : alone + behind * mixed + ending);
        }
      }
    }
    return flop;
  };
}

function axesAndShape(model: Model, words: number, name: string): [Axes, readonly number[]] {
  const { axes } = model.sites.find((site) => site.name === name)!;
  return [axes, model.shapes(words).get(name)!.slice(1)];
}

interface SiteMarks {
  /** Multiply-adds done when each site was reached, with the picture known, and in all. */
  readonly at: readonly number[];
  readonly total: number;
  /** Done when all was made that more than the last token is read of. */
  readonly shared: number;
  /** What a new picture adds. */
  readonly picture: number;
}

function siteMarks(model: Model, input: Input): SiteMarks {
  const { gpu } = model;
  const unseen = { ...input, imageKey: `${input.imageKey}, as if new` };
  const run = () => {
    const at = new Map<string, number>();
    const start = gpu.flop;
    const site = (name: string, activation: Tensor) => {
      at.set(name, gpu.flop - start);
      return activation;
    };
    gpu.release(model.forward(unseen, { watches: () => false, site }));
    return { at, total: gpu.flop - start };
  };
  const first = run();
  const { at, total } = run();
  const marks = model.sites.map(({ name }) => at.get(name) ?? 0);
  const shared = Math.max(...marks.filter((_, i) => !model.lastTokenSites.includes(model.sites[i]!.name)));
  return { at: marks, total, shared, picture: first.total - total };
}

/** About `count` of the items: neighbours, which perhaps share a batch as they will in the run, from evenly spread places. */
function someOf<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  const run = Math.min(count, MOST_PAIRS);
  const runs = Math.ceil(count / run);
  return Array.from({ length: runs }, (_, i) => {
    const place = runs === 1 ? 0.5 : i / (runs - 1);
    const first = Math.floor(place * (items.length - run));
    return items.slice(first, first + run);
  }).flat();
}
