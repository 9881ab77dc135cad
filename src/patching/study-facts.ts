/** What a study's sweep came to, counted record by record, so that a resumed one gives the same. */
import { join } from "node:path";
import { readEntries, scanLog } from "./log.ts";
import { addFacts, inOrder, noFacts, type Setting } from "./report/facts.ts";

export interface SweepFacts {
  readonly samples: number;
  /** Samples times modes that finished, and that did not. */
  readonly sweeps: number;
  readonly failed: number;
  readonly cells: number;
  readonly missing: number;
  readonly checks: { readonly passed: number; readonly failed: number };
  readonly settings: readonly Setting[];
}

export async function sweepFacts(run: string): Promise<SweepFacts> {
  const log = join(run, "results.jsonl");
  const facts = noFacts();
  for await (const record of readEntries(log, (await scanLog(log)).entries)) addFacts(facts, record);
  const [settings, counts, checks] = [inOrder(facts.settings), inOrder(facts.counts), inOrder(facts.checks)];
  return {
    samples: facts.samples.size,
    sweeps: sum(settings.map(({ samples }) => samples)),
    failed: facts.failed.length,
    cells: sum(counts.map(({ cells }) => cells)),
    missing: sum(counts.map(({ missing }) => missing)),
    checks: { passed: sum(checks.map(({ passed }) => passed)), failed: sum(checks.map(({ failed }) => failed)) },
    settings,
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
