/** scores.csv: one row per cell (RFC 4180). */
import { closeSync, openSync, writeSync } from "node:fs";
import { csvRow } from "../data/table.ts";
import { shortest } from "./float32.ts";
import { layerOf } from "./layer.ts";
import { type Json, noticeColumns, type SampleRecord, type Table } from "./record.ts";

export const csvColumns = [
  "sample",
  "task",
  "mode",
  "kind",
  "site",
  "layer",
  "token",
  "token_text",
  "head",
  ...noticeColumns,
] as const;

/** A table that is made of records one by one. */
export interface CsvTable {
  readonly columns: readonly string[];
  readonly rows: (record: SampleRecord) => Iterable<string>;
}

const scoresTable: CsvTable = { columns: csvColumns, rows: csvRows };

/** Writes rows to a file as records come in. */
export function csvWriter(path: string, { columns, rows } = scoresTable) {
  const file = textWriter(path);
  file.write(`${columns.join(",")}\r\n`);
  return {
    add(record: SampleRecord): void {
      for (const line of rows(record)) file.write(line);
    },
    close: file.close,
  };
}

/** Writes text to a file, a megabyte at a time. */
export function textWriter(path: string) {
  const file = openSync(path, "w");
  let waiting = "";
  const flush = (limit: number) => {
    if (waiting.length <= limit) return;
    const bytes = Buffer.from(waiting);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    waiting = "";
  };
  return {
    write(text: string): void {
      waiting += text;
      flush(2 ** 20);
    },
    close(): void {
      try {
        flush(0);
      } finally {
        closeSync(file);
      }
    },
  };
}

export function* csvRows(record: SampleRecord): Generator<string> {
  for (const [place, scores] of scoreRows(record))
    yield csvRow([...place.map((cell) => cell ?? ""), ...scores.map(number)]);
}

/** Where a score is, in the order of the columns, and the four scores. */
type ScoreRow = readonly [place: readonly (string | number | null)[], scores: readonly Json[]];

/** For each kind first the unpatched corrupt run, then the cells of its tables. */
export function* scoreRows(record: SampleRecord): Generator<ScoreRow> {
  for (const kind of new Set(record.tables.map((table) => table.kind))) {
    yield [[record.sample, record.task, record.mode, kind, null, null, null, null, null], record.low_score];
    for (const table of record.tables) if (table.kind === kind) yield* tableRows(record, table);
  }
}

function* tableRows(record: SampleRecord, table: Table): Generator<ScoreRow> {
  if (table.dropped !== undefined) return;
  let cell = 0;
  for (let row = 0; row < table.tokens; row++) {
    const [token, text] = tokenOf(record, table, row);
    for (let layer = 0; layer < table.layers; layer++) {
      const site = table.sites[layer]!;
      const place = [record.sample, record.task, record.mode, table.kind, site, layerOf(site, layer), token, text];
      for (const head of table.heads ?? [null]) {
        yield [[...place, head], noticeColumns.map((column) => table.scores[column][cell] ?? null)];
        cell++;
      }
    }
  }
}

/** A row's token in the clean prompt; patches are told apart by their text. */
function tokenOf({ tokens }: SampleRecord, { tokens: count, at, patches }: Table, row: number): [number, string] {
  if (patches !== undefined) {
    const image = tokens.findIndex(({ text }) => text === "<image>");
    return [image, `image[${Math.floor(row / patches)},${row % patches}]`];
  }
  const token = at?.[row] ?? row;
  return [token, at || count === tokens.length ? tokens[token]!.text : ""];
}

const number = (value: Json): string => (typeof value === "number" ? shortest(value) : (value ?? ""));
