/** Rows of head scores, piled up sample by sample while runs are read. */
import { join } from "node:path";
import { UserError } from "../models/errors.ts";
import type { GivenRun } from "./circuit-runs.ts";
import type { Panel } from "./circuit-scores.ts";
import { layerOf } from "./layer.ts";
import { readEntries, scanLog } from "./log.ts";
import type { FailedRecord, SampleRecord, Table } from "./record.ts";
import type { Column } from "./report/grid.ts";

export interface Pile extends Omit<Panel, "missing" | "left_out" | "keys" | "matrix"> {
  readonly run: string;
  readonly leftOut: Map<string, number>;
  /** By the sample's index in the data file. */
  readonly rows: Map<number, { key: string; run: string; scores: Float32Array }>;
}

/** Adds a run's scores; returns how many samples have a table of heads, by corruption and kind. */
export async function readScores(
  run: GivenRun,
  column: Column,
  piles: Map<string, Pile>,
): Promise<Map<string, number>> {
  const lengths = new Map<string, number>();
  const failed: FailedRecord[] = [];
  const added = new Set<Pile>();
  const log = join(run.folder, "results.jsonl");
  const { entries } = await scanLog(log);
  for await (const record of readEntries(log, entries)) {
    if ("failed" in record) {
      failed.push(record);
      continue;
    }
    for (const table of record.tables) {
      if (table.heads === null || table.patches !== undefined) continue;
      added.add(addTable(piles, run, record, table, column));
      const what = `${record.mode} ${table.kind}`;
      lengths.set(what, (lengths.get(what) ?? 0) + (table.dropped === undefined ? 1 : 0));
    }
  }
  for (const pile of added) {
    const lost = failed.filter(({ task, mode }) => task === pile.task && mode === pile.mode).length;
    if (lost > 0) leaveOut(pile, "failed in the sweep", lost);
  }
  return lengths;
}

function addTable(
  piles: Map<string, Pile>,
  { folder: run, settings: { direction, defects } }: GivenRun,
  record: SampleRecord,
  table: Table,
  column: Column,
): Pile {
  const { task, mode, key, sample, answer_token } = record;
  const { kind, sites, tokens, at } = table;
  const heads = table.heads!;
  const original = at !== undefined && defects.D7 === "upstream";
  const row = original ? 0 : at === undefined ? (answer_token ?? -1) : at.indexOf(answer_token ?? -1);
  const token = tokens === 1 && (at === undefined || row === -1) ? "only" : "answer";
  const name = [task, mode, kind, direction, token].join("\n");
  const layers = sites.map(layerOf);
  const pile = piles.get(name) ?? {
    ...{ run, task, mode, kind, direction, token, layers, heads, sites },
    leftOut: new Map<string, number>(),
    rows: new Map(),
  };
  piles.set(name, pile);
  checkHeads(pile, run, heads);
  const lost = reasonToLeaveOut(record, table, row, token);
  if (lost !== null) {
    leaveOut(pile, lost, 1);
    return pile;
  }
  const twice = pile.rows.get(sample);
  if (twice) {
    throw new UserError(
      `circuits: sample ${sample} of ${task} ${mode}, ${kind}, ${direction} is in ${twice.run} and in ${run}; give one of the two runs`,
    );
  }
  const width = layers.length * heads.length;
  const start = token === "only" ? 0 : row * width;
  const scores = Float32Array.from(table.scores[column].slice(start, start + width), (value) =>
    value === null ? Number.NaN : Number(value),
  );
  pile.rows.set(sample, { key, run, scores });
  return pile;
}

function leaveOut({ leftOut }: Pile, reason: string, samples: number): void {
  leftOut.set(reason, (leftOut.get(reason) ?? 0) + samples);
}

function reasonToLeaveOut({ tokens }: SampleRecord, table: Table, row: number, token: Panel["token"]): string | null {
  if (table.dropped !== undefined) return "the original loses this row (D7)";
  if (token === "only") return null;
  if (table.at === undefined && table.tokens !== tokens.length) return "its rows are no tokens of the prompt";
  return row === -1 ? "the correct answer's token was not found or not swept" : null;
}

function checkHeads({ run, kind, heads }: Pile, other: string, others: readonly number[]): void {
  if (heads.join() === others.join()) return;
  throw new UserError(
    `circuits: ${kind} has heads ${heads.join(",")} in ${run} and ${others.join(",")} in ${other}; sweep the same heads in both`,
  );
}
