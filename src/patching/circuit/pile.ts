/** Rows of head scores, piled up sample by sample while runs are read. */
import { join } from "node:path";
import { UserError } from "../../models/errors.ts";
import { layerOf } from "../layer.ts";
import { readInOrder, recordKey } from "../log.ts";
import type { FailedRecord, SampleRecord, Table } from "../record.ts";
import type { Column } from "../report/grid.ts";
import { difference } from "../score.ts";
import type { GivenRun } from "./runs.ts";
import type { Panel } from "./scores.ts";

export interface Pile extends Omit<Panel, "missing" | "left_out" | "matrix"> {
  readonly run: string;
  /** By the sample's index in the data file. */
  readonly rows: Map<number, Row>;
}

/** Head scores of a sample, or why there are none. */
export interface Row {
  readonly run: string;
  readonly scores: Float32Array | string;
}

const lostByOriginal = "the original loses this row (D7)";

/** Adds a run's scores; returns how many samples have a table of heads, by corruption and kind. */
export async function readScores(
  run: GivenRun,
  column: Column,
  piles: Map<string, Pile>,
): Promise<Map<string, number>> {
  const failed = new Map<string, FailedRecord>();
  const added = new Set<Pile>();
  for await (const record of readInOrder(join(run.folder, "results.jsonl"))) {
    if ("failed" in record) {
      failed.set(recordKey(record), record);
      continue;
    }
    failed.delete(recordKey(record));
    for (const table of record.tables)
      if (table.heads !== null && table.patches === undefined) added.add(addTable(piles, run, record, table, column));
  }
  const lengths = new Map<string, number>();
  for (const pile of added) {
    for (const { task, mode, sample } of failed.values())
      if (task === pile.task && mode === pile.mode)
        addRow(pile, sample, { run: run.folder, scores: "failed in the sweep" });
    const own = [...pile.rows.values()].filter((row) => row.run === run.folder);
    const listed = own.filter(({ scores }) => scores !== lostByOriginal && scores !== "failed in the sweep");
    const what = `${pile.mode} ${pile.kind}`;
    lengths.set(what, (lengths.get(what) ?? 0) + listed.length);
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
  const { task, mode, sample, answer_token } = record;
  const { kind, sites, tokens, at } = table;
  const heads = table.heads!;
  const original = at !== undefined && defects.D7 === "upstream";
  const row = original ? 0 : at === undefined ? (answer_token ?? -1) : at.indexOf(answer_token ?? -1);
  const token = tokens === 1 && (at === undefined || row === -1) ? "only" : "answer";
  const name = [task, mode, kind, direction, token].join("\n");
  const layers = sites.map(layerOf);
  const pile = piles.get(name) ?? {
    ...{ run, task, mode, kind, direction, token, layers, heads, sites },
    rows: new Map<number, Row>(),
  };
  piles.set(name, pile);
  checkHeads(pile, run, heads);
  const width = layers.length * heads.length;
  const start = token === "only" ? 0 : row * width;
  const unpatched = direction === "noising" ? scoreOfClean(record, column) : 0;
  const scores =
    reasonToLeaveOut(record, table, row, token) ??
    Float32Array.from(table.scores[column].slice(start, start + width), (value) =>
      value === null ? Number.NaN : Number(value) - unpatched,
    );
  addRow(pile, sample, { run, scores });
  return pile;
}

/** In a run the last row of a sample counts; of several runs only one may have its scores. */
function addRow({ task, mode, kind, direction, rows }: Pile, sample: number, row: Row): void {
  const before = rows.get(sample);
  const foreign = before !== undefined && before.run !== row.run;
  if (foreign && typeof before.scores === "object" && typeof row.scores === "object") {
    throw new UserError(
      `circuits: sample ${sample} of ${task} ${mode}, ${kind}, ${direction} is in ${before.run} and in ${row.run}; give one of the two runs`,
    );
  }
  if (!foreign || typeof row.scores === "object") rows.set(sample, row);
}

/**
 * Scores count from the corrupt run. In noising it is the clean run that is patched, so a head that does nothing has this
 * score, and what a head does is the distance from it. p_patched is no change of anything and stays as it is.
 */
function scoreOfClean({ clean, corrupt, low_score }: SampleRecord, column: Column): number {
  if (column === "p_patched") return 0;
  if (column === "effect") return 1;
  if (column === "logit_diff") return Math.fround(difference(clean) - difference(corrupt));
  return Math.fround(Math.exp(clean.correct - clean.logsumexp) - Number(low_score[0]));
}

function reasonToLeaveOut({ tokens }: SampleRecord, table: Table, row: number, token: Panel["token"]): string | null {
  if (table.dropped !== undefined) return lostByOriginal;
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
