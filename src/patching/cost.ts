/** What a sweep costs, found by a dry run of the same code: cells, multiply-adds, memory. Nothing is computed. */
import type { DataRow } from "../data/samples.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import { extent } from "./cell.ts";
import { type Kind, resolveKind } from "./kinds.ts";
import { type SamplePair, samplePair } from "./pair.ts";
import type { Mode, RunSettings } from "./record.ts";
import { sweepSample } from "./sample.ts";

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
  /** Device memory at the most, weights included, and the weights alone. */
  readonly bytes: number;
  readonly weightBytes: number;
}

/**
 * The cost of sweeping `samples`, counted on `most` of them, evenly spread.
 * @param model loaded on a dry device (`openDry`)
 */
export async function sweepCost(
  model: Model,
  samples: readonly DataRow[],
  settings: Pick<RunSettings, "kinds" | "modes" | "heads" | "direction" | "defects" | "min_denominator">,
  most = 8,
): Promise<SweepCost> {
  const { gpu } = model;
  const weightBytes = gpu.bytes;
  const kinds = settings.kinds.map((kind) => resolveKind(model, kind));
  const chosen = evenly(samples, Math.ceil(most / settings.modes.length));
  const idealOf = idealFlop(model);
  let [counted, cells, flop, ideal] = [0, 0, 0, 0];
  let failed: string | undefined;
  for (const sample of chosen) {
    for (const mode of settings.modes) {
      try {
        const pair = await pairOf(model, sample, mode, settings);
        ideal += idealOf(pair, kinds, settings.heads);
        const before = gpu.flop;
        const result = await sweepSample(model, pair, kinds, {
          heads: settings.heads,
          compat: "corrected",
          minDenominator: settings.min_denominator,
        });
        flop += gpu.flop - before;
        cells += result.cells;
        counted += 1;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        failed ??= error.message;
      }
    }
  }
  const sweeps = samples.length * settings.modes.length;
  const all = (amount: number) => Math.round((amount * sweeps) / Math.max(counted, 1));
  const amounts = { cells: all(cells), flop: all(flop), ideal: all(ideal), bytes: gpu.bytes, weightBytes };
  return { sweeps, counted, ...amounts, ...(failed !== undefined && { failed }) };
}

const pairOf = (
  model: Model,
  sample: DataRow,
  mode: Mode,
  { defects, direction }: Pick<RunSettings, "defects" | "direction">,
): Promise<SamplePair> =>
  samplePair(model, sample, {
    mode,
    defects: { D4: defects.D4 ?? "corrected", D8: defects.D8 ?? "corrected" },
    direction,
  });

type Ideal = (pair: SamplePair, kinds: readonly Kind[], swept: RunSettings["heads"]) => number;

/**
 * The least that an exact sweep needs: each picture once, both runs, and for every cell what its replacement can change,
 * that is the replaced token alone up to the next self-attention, and all tokens from there on.
 */
function idealFlop(model: Model): Ideal {
  const marksOf = new Map<number, SiteMarks>();
  const known = new Set<string>();
  const place = new Map(model.sites.map(({ name }, i) => [name, i]));
  const mixing = model.sites.map(({ name }) => /(self_attn|\battention\.self)\.scores$/.test(name));
  return ({ base, other }, kinds, swept) => {
    const length = base.ids.length;
    const marks = marksOf.get(length) ?? siteMarks(model, base);
    marksOf.set(length, marks);
    const pictures = new Set([base.imageKey, other.imageKey].filter((key) => !known.has(key)));
    for (const key of pictures) known.add(key);
    let flop = pictures.size * marks.picture + 2 * marks.total;
    for (const { name, axes } of kinds.flatMap(({ sites }) => sites)) {
      const { tokens, heads } = extent(axes, model.shapes(length).get(name)!.slice(1));
      const at = place.get(name)!;
      const next = mixing.indexOf(true, at + 1);
      const boundary = next === -1 ? marks.total : marks.at[next]!;
      const variants = 1 + (heads === 0 || swept === "none" ? 0 : swept === "all" ? heads : swept.length);
      flop += variants * (boundary - marks.at[at]! + tokens * (marks.total - boundary));
    }
    return flop;
  };
}

interface SiteMarks {
  /** Multiply-adds done when each site was reached, with the picture known, and in all. */
  readonly at: readonly number[];
  readonly total: number;
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
  return { at: model.sites.map(({ name }) => at.get(name) ?? 0), total, picture: first.total - total };
}

/** At most `count` of the items, evenly spread. */
function evenly<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)]!);
}
