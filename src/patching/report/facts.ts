/** What is counted over a run: cells, failures, self-checks, missing values, and what the corruption does to the answers. */
import type { FailedRecord, LogitSummary, Mode, RunRecord, SampleRecord, Task } from "../record.ts";

export interface CheckCount {
  readonly name: string;
  passed: number;
  failed: number;
}

/** One task and mode. */
export interface Setting {
  readonly task: Task;
  readonly mode: Mode;
  samples: number;
  /** Sums over samples: P(correct) and logit difference of the clean and of the corrupt run. */
  readonly clean: { probability: number; difference: number };
  readonly corrupt: { probability: number; difference: number };
}

/** Cells of one task, mode and kind, whole sites and heads together. */
export interface CellCount {
  readonly task: Task;
  readonly mode: Mode;
  readonly kind: string;
  cells: number;
  missing: number;
  unchanged: number;
  /** Cells without a normalised effect, and those where it is not finite. */
  noEffect: number;
  notFinite: number;
}

export interface Facts {
  readonly samples: Set<number>;
  readonly failed: FailedRecord[];
  /** Head tables that the original loses (D7). */
  readonly dropped: { sample: number; task: Task; mode: Mode; kind: string; reason: string }[];
  readonly settings: Map<string, Setting>;
  readonly counts: Map<string, CellCount>;
  readonly checks: Map<string, CheckCount>;
  readonly failedChecks: { sample: number; task: Task; mode: Mode; name: string; detail: string }[];
}

export const noFacts = (): Facts => ({
  samples: new Set(),
  failed: [],
  dropped: [],
  settings: new Map(),
  counts: new Map(),
  checks: new Map(),
  failedChecks: [],
});

export function addFacts(facts: Facts, record: RunRecord): void {
  facts.samples.add(record.sample);
  if ("failed" in record) facts.failed.push(record);
  else addSample(facts, record);
}

function addSample(facts: Facts, record: SampleRecord): void {
  const { task, mode, sample } = record;
  const setting = entry(facts.settings, `${task} ${mode}`, { task, mode, samples: 0, clean: none(), corrupt: none() });
  setting.samples++;
  for (const run of ["clean", "corrupt"] as const) {
    setting[run].probability += probability(record[run]);
    setting[run].difference += difference(record[run]);
  }
  for (const { kind, unchanged, scores, dropped } of record.tables) {
    if (dropped !== undefined) facts.dropped.push({ sample, task, mode, kind, reason: dropped });
    const fresh = { task, mode, kind, cells: 0, missing: 0, unchanged: 0, noEffect: 0, notFinite: 0 };
    const count = entry(facts.counts, `${task} ${mode} ${kind}`, fresh);
    count.unchanged += unchanged;
    scores.p_patched.forEach((value, i) => {
      const effect = scores.effect[i] ?? null;
      if (value === null) count.missing++;
      else count.cells++;
      if (value !== null && effect === null) count.noEffect++;
      if (typeof effect === "string") count.notFinite++;
    });
  }
  for (const { name, ok, detail } of record.checks) {
    const check = entry(facts.checks, name, { name, passed: 0, failed: 0 });
    check[ok ? "passed" : "failed"]++;
    if (!ok) facts.failedChecks.push({ sample, task, mode, name, detail });
  }
}

/** Entries of a map by task, mode and kind. */
export const inOrder = <T>(map: ReadonlyMap<string, T>): T[] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);

const none = () => ({ probability: 0, difference: 0 });

function entry<T>(map: Map<string, T>, key: string, fresh: T): T {
  const found = map.get(key) ?? fresh;
  map.set(key, found);
  return found;
}

export const probability = ({ correct, logsumexp }: LogitSummary): number => Math.exp(correct - logsumexp);

export const difference = ({ correct, incorrect }: LogitSummary): number => correct - incorrect;
