/**
 * Sweeps of a run, one for each sample and mode. Those that are small and alike share a batch; what comes out has the same
 * bits and the same order as one after another.
 */
import type { DataRow } from "../data/samples.ts";
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import { pairsAtOnce } from "./chunks.ts";
import { type Defects, originalPlaces } from "./defects.ts";
import { type Kind, resolveKind } from "./kinds.ts";
import { type SamplePair, samplePair } from "./pair.ts";
import type { Mode, RunSettings } from "./record.ts";
import { type LaidOut, layOut, type SampleResult, sweepSamples } from "./sample.ts";
import { formOf } from "./sweep.ts";

export interface Unit {
  readonly sample: DataRow;
  readonly mode: Mode;
}

/** A unit with its result, or why there is none. */
export type Outcome = { readonly unit: Unit } & (
  | { readonly pair: SamplePair; readonly result: SampleResult }
  | { readonly failed: UserError }
);

export type UnitSettings = Pick<
  RunSettings,
  "kinds" | "heads" | "positions" | "head_positions" | "direction" | "defects" | "min_denominator"
>;

export interface UnitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly exactCheck?: number;
}

/** So far ahead is looked for units that are alike; what a killed process had done of them is lost. */
const AHEAD = 16;

/** A unit whose cells are laid out, and what it has in common with those that may share its batch. */
interface Ready {
  readonly unit: Unit;
  readonly laid: LaidOut;
  readonly form: string;
  readonly atOnce: number;
}

export async function* sweepUnits(
  model: Model,
  units: readonly Unit[],
  settings: UnitSettings,
  { signal, exactCheck = 0 }: UnitOptions = {},
): AsyncGenerator<Outcome> {
  const kinds = settings.kinds.map((kind) => resolveKind(model, kind));
  const outcomes = new Map<Unit, Outcome>();
  const waiting: Ready[] = [];
  let read = 0;
  for (const [i, unit] of units.entries()) {
    while (!outcomes.has(unit)) {
      signal?.throwIfAborted();
      const alone = waiting[0]?.atOnce === 1;
      if (read < units.length && read < i + AHEAD && !alone) {
        const next = units[read++]!;
        const ready = await readied(model, kinds, next, settings, exactCheck);
        if ("failed" in ready) outcomes.set(next, ready);
        else waiting.push(ready);
      } else {
        const [{ form, atOnce }] = waiting as [Ready];
        const batch = waiting.filter((ready) => ready.form === form).slice(0, atOnce);
        for (const ready of batch) waiting.splice(waiting.indexOf(ready), 1);
        for (const outcome of await sweepBatch(model, batch, signal)) outcomes.set(outcome.unit, outcome);
      }
    }
    yield outcomes.get(unit)!;
    outcomes.delete(unit);
  }
}

async function readied(
  model: Model,
  kinds: readonly Kind[],
  unit: Unit,
  settings: UnitSettings,
  exactCheck: number,
): Promise<Ready | Extract<Outcome, { failed: unknown }>> {
  const { sample, mode } = unit;
  const defects = settings.defects as Defects;
  try {
    const pair = await samplePair(model, sample, { mode, defects, direction: settings.direction });
    const laid = layOut(model, pair, kinds, {
      heads: settings.heads,
      positions: settings.positions,
      headPositions: settings.head_positions,
      ...originalPlaces(model, pair, sample, defects),
      compat: defects.D9 ?? "corrected",
      minDenominator: settings.min_denominator,
      exactCheck,
    });
    const atOnce = pairsAtOnce(model, laid);
    return { unit, laid, atOnce, form: atOnce === 1 ? "" : formOf(laid) };
  } catch (error) {
    return failure(unit, error);
  }
}

/** Where one of several fails, each is swept alone. */
async function sweepBatch(model: Model, batch: readonly Ready[], signal: AbortSignal | undefined): Promise<Outcome[]> {
  try {
    const results = await sweepSamples(
      model,
      batch.map(({ laid }) => laid),
      signal,
    );
    return results.map((result, i) => ({ unit: batch[i]!.unit, pair: batch[i]!.laid.pair, result }));
  } catch (error) {
    if (signal?.aborted) throw error;
    const failed = failure(batch[0]!.unit, error);
    if (batch.length === 1) return [failed];
  }
  const outcomes: Outcome[] = [];
  for (const ready of batch) outcomes.push(...(await sweepBatch(model, [ready], signal)));
  return outcomes;
}

/** What a user can mend fails a unit; anything else stops the run. */
function failure(unit: Unit, error: unknown): Extract<Outcome, { failed: unknown }> {
  if (!(error instanceof UserError)) throw error;
  return { unit, failed: error };
}
