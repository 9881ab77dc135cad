/** What a report knows of a run, gathered record by record. */
import type { Overlays } from "../overlay-store.ts";
import type { RunRecord, RunSettings, SampleRecord } from "../record.ts";
import type { Pictures } from "../store.ts";
import { addFacts, type Facts, noFacts } from "./facts.ts";
import type { MeanTable } from "./grid.ts";
import { type HeadTally, headTally } from "./heads.ts";
import { type LensTally, lensTally } from "./lens-tally.ts";
import { tally } from "./tally.ts";

export type Shown = Omit<SampleRecord, "tables" | "checks" | "tokens">;

export interface Reported {
  /** What the run is called beside others. */
  readonly name: string;
  readonly settings: RunSettings;
  readonly facts: Facts;
  readonly tables: readonly MeanTable[];
  readonly heads: HeadTally;
  readonly lens: LensTally;
  readonly samples: readonly Shown[];
  readonly overlays: Overlays | null;
  readonly pictures: Pictures;
}

export interface Gathering {
  /** Takes one record; they come sorted by sample, task and mode. */
  add(record: RunRecord): void;
  reported(pictures: Pictures, overlays: Overlays | null, name?: string): Reported;
}

export function gather(settings: RunSettings): Gathering {
  const facts = noFacts();
  const means = tally(settings);
  const heads = headTally();
  const lens = lensTally();
  const samples: Shown[] = [];
  return {
    add(record) {
      addFacts(facts, record);
      if ("failed" in record) return;
      means.add(record);
      heads.add(record);
      lens.add(record);
      const { tables: _, checks: _checks, tokens: _tokens, ...shown } = record;
      samples.push(shown);
    },
    reported: (pictures, overlays, name = settings.model.name) => {
      const tables = means.tables();
      return { name, settings, facts, tables, heads, lens, samples, overlays, pictures };
    },
  };
}
