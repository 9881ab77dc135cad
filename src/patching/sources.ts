/** Runs that cells copy from, with the sites that they copy. */
import { logitScores } from "../kernels/logit-scores.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { type CaptureTap, captureTap } from "../models/capture.ts";
import type { Model } from "../models/model.ts";
import { untapped } from "../models/scope.ts";
import type { Cell, Edit } from "./cell.ts";
import type { Prefixes } from "./prefix.ts";
import { type LogitRow, logitRows } from "./score.ts";
import { storedSources } from "./stored.ts";
import type { Pair, SweepOptions } from "./sweep.ts";

export interface OpenSources {
  /** Tokens of the other run that were left out. */
  readonly first: number;
  readonly of: (edit: Edit) => Tensor;
  readonly otherLogits: Tensor;
  readonly baseLogits: Tensor;
  otherRow(clean: Tensor): Promise<LogitRow>;
  release(): void;
}

/** Runs them; whatever fails, nothing stays on the device. */
export function openSources(
  model: Model,
  pair: Pair,
  cells: readonly Cell[],
  options: SweepOptions,
  prefix?: Prefixes,
): OpenSources {
  const { gpu, sites } = model;
  const held: { release(): void }[] = [];
  const release = () => {
    for (const item of held) item.release();
  };
  const hold = <T extends { release(): void }>(item: T): T => {
    held.push(item);
    return item;
  };
  const kept = (tensor: Tensor): Tensor => {
    held.push({ release: () => gpu.release(tensor) });
    return tensor;
  };
  const copied = (source: string) => {
    const edits = cells.flat().filter((edit) => edit.source === source);
    const names = new Set(edits.map(({ site, sourceSite }) => sourceSite ?? site));
    return sites.filter(({ name }) => names.has(name));
  };
  try {
    const other = hold(captureTap(gpu, sites, copied("other")));
    const taps = new Map<string, CaptureTap>([["other", other]]);
    const first = prefix?.ofOther(cells) ?? 0;
    const otherLogits = kept(model.forward(pair.other, other, { firstToken: first }));
    const baseLogits = pair.direction === "noising" ? kept(model.forward(pair.base, untapped)) : otherLogits;
    for (const [name, input] of options.runs ?? []) {
      const tap = hold(captureTap(gpu, sites, copied(name)));
      gpu.release(model.forward(input, tap));
      taps.set(name, tap);
    }
    const stored = hold(storedSources(gpu, options.stored ?? new Map()));
    return {
      first,
      otherLogits,
      baseLogits,
      of({ source, site, sourceSite = site }: Edit) {
        const tensor = taps.get(source)?.kept.get(sourceSite) ?? stored.get(source);
        if (!tensor) throw new Error(`sweep: no source "${source}" for ${sourceSite}`);
        return tensor;
      },
      async otherRow(clean) {
        const table = logitScores(gpu, otherLogits, clean, pair.answers);
        const [row] = logitRows(await gpu.read(table).finally(() => gpu.release(table)));
        return row!;
      },
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}
