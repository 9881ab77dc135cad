/** Runs that cells copy from, with the sites that they copy. */
import { type Answers, logitScores } from "../kernels/logit-scores.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { type CaptureTap, captureTap } from "../models/capture.ts";
import type { Model } from "../models/model.ts";
import { untapped } from "../models/scope.ts";
import type { Edit } from "./cell.ts";
import type { Prefixes } from "./prefix.ts";
import { type LogitRow, logitRows } from "./score.ts";
import { storedSources } from "./stored.ts";
import type { Patched, SweepOptions } from "./sweep.ts";

/** Of several pairs each tensor has a row. */
export interface OpenSources {
  /** Tokens of the other run that were left out. */
  readonly first: number;
  readonly of: (edit: Edit) => Tensor;
  /** Logits of the clean runs. */
  readonly clean: Tensor;
  readonly answers: readonly Answers[];
  otherRows(): Promise<LogitRow[]>;
  release(): void;
}

/** Runs them; whatever fails, nothing stays on the device. */
export function openSources(
  model: Model,
  patched: readonly Patched[],
  options: SweepOptions,
  prefix?: Prefixes,
): OpenSources {
  const { gpu, sites } = model;
  const cells = patched.flatMap((one) => one.cells);
  const answers = patched.map(({ pair }) => pair.answers);
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
    const others = patched.map(({ pair }) => pair.other);
    const otherLogits = kept(model.forward(others, other, { firstToken: first }));
    const bases = patched.map(({ pair }) => pair.base);
    const isNoising = patched[0]!.pair.direction === "noising";
    const clean = isNoising ? kept(model.forward(bases, untapped)) : otherLogits;
    for (const [name, input] of options.runs ?? []) {
      const tap = hold(captureTap(gpu, sites, copied(name)));
      gpu.release(model.forward(input, tap));
      taps.set(name, tap);
    }
    const stored = hold(storedSources(gpu, options.stored ?? new Map()));
    return {
      first,
      clean,
      answers,
      of({ source, site, sourceSite = site }: Edit) {
        const tensor = taps.get(source)?.kept.get(sourceSite) ?? stored.get(source);
        if (!tensor) throw new Error(`sweep: no source "${source}" for ${sourceSite}`);
        return tensor;
      },
      async otherRows() {
        const table = logitScores(gpu, otherLogits, clean, answers);
        return logitRows(await gpu.read(table).finally(() => gpu.release(table)));
      },
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}
