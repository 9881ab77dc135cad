/** Sums scores over samples, record by record, into the tables of means that the report shows. */
import { layerOf } from "../layer.ts";
import type { Json, Mode, RunSettings, SampleRecord, Table, Task } from "../record.ts";
import { columns, type MeanRow, type MeanTable, views } from "./grid.ts";
import { roleRows } from "./roles.ts";

interface RowSum {
  at: number;
  samples: number;
  /** By column, then along the row. */
  readonly total: number[][];
  readonly count: number[][];
}

interface PartSum {
  readonly group: string;
  readonly correctFirst: boolean;
  samples: number;
  readonly rows: Map<string, RowSum>;
}

type TableSum = Omit<MeanTable, "parts"> & { readonly parts: Map<string, PartSum> };

/** Tables come in the order of the settings: by task, mode, kind. */
export function tally({ tasks, modes, kinds }: Pick<RunSettings, "tasks" | "modes" | "kinds">): {
  add(record: SampleRecord): void;
  tables(): MeanTable[];
} {
  const sums = new Map<string, TableSum>();
  return {
    add(record) {
      for (const table of record.tables) {
        if (table.dropped !== undefined) continue;
        for (const what of viewsOf(record, table)) {
          const part = partOf(sums, record, table, what);
          part.samples++;
          adders[what](part, record, table);
        }
      }
    },
    tables() {
      const rank = ({ task, mode, kind, what }: TableSum) =>
        [tasks.indexOf(task as Task), modes.indexOf(mode as Mode), kinds.indexOf(kind), views.indexOf(what)] as const;
      const order = (a: readonly number[], b: readonly number[]) =>
        a.map((value, i) => value - b[i]!).find((d) => d !== 0) ?? 0;
      return [...sums.values()].sort((a, b) => order(rank(a), rank(b))).map(means);
    },
  };
}

function partOf(
  sums: Map<string, TableSum>,
  { task, mode, group, correct_first }: SampleRecord,
  { kind, sites, heads, patches }: Table,
  what: MeanTable["what"],
): PartSum {
  const key = [task, mode, kind, what].join("\n");
  const sum: TableSum = sums.get(key) ?? {
    task,
    mode,
    kind,
    what,
    across: patches === undefined ? (heads ?? sites.map(layerOf)) : Array.from({ length: patches }, (_, i) => i),
    sites,
    parts: new Map(),
  };
  sums.set(key, sum);
  const name = `${group}\n${correct_first ? 0 : 1}`;
  const part = sum.parts.get(name) ?? { group, correctFirst: correct_first, samples: 0, rows: new Map() };
  sum.parts.set(name, part);
  return part;
}

/** Which means a table goes into: heads of some tokens are seen at the answer and at the prompt's end. */
function viewsOf(record: SampleRecord, table: Table): MeanTable["what"][] {
  if (table.heads === null) return [table.patches === undefined ? "tokens" : "patches"];
  if (table.patches !== undefined) return [];
  const last = lastRow(record, table) !== -1;
  return [...(answerRow(record, table) === null ? [] : ["heads" as const]), ...(last ? ["last" as const] : [])];
}

type Adder = (part: PartSum, record: SampleRecord, table: Table) => void;
type Value = (column: (typeof columns)[number], i: number) => Json;

const adders: Readonly<Record<MeanTable["what"], Adder>> = {
  /** Tokens down, layers across. */
  tokens(part, record, table) {
    for (const { row, at, label } of roleRows(record, table))
      addRow(part, label, at, table.layers, (column, i) => table.scores[column][row * table.layers + i] ?? null);
  },
  /** The picture's rows down, its columns across; each value is the mean over layers. */
  patches(part, _record, table) {
    const side = table.patches!;
    for (let row = 0; row < side; row++)
      addRow(part, String(row), row / (side - 1), side, (column, i) => {
        const start = (row * side + i) * table.layers;
        const values = table.scores[column].slice(start, start + table.layers).map(Number);
        return values.some((value) => !Number.isFinite(value)) ? null : mean(values);
      });
  },
  heads: (part, record, table) => addHeads(part, table, answerRow(record, table)!),
  last: (part, record, table) => addHeads(part, table, lastRow(record, table)),
};

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Layers down, heads across, at one row of the table. */
function addHeads(part: PartSum, table: Table, row: number): void {
  const heads = table.heads!.length;
  table.sites.forEach((site, layer) => {
    const start = (row * table.layers + layer) * heads;
    const value: Value = (column, i) => table.scores[column][start + i] ?? null;
    addRow(part, String(layerOf(site, layer)), layer / Math.max(1, table.layers - 1), heads, value);
  });
}

/** The row of a sample's head table: the correct answer's last piece, or the original's place; the only one it has. */
export function answerRow({ answer_token, tokens }: SampleRecord, table: Table): number | null {
  if (table.tokens === 1 && !table.at) return 0;
  if (table.at) {
    const row = table.tokens === 1 ? 0 : table.at.indexOf(answer_token ?? -1);
    return row === -1 ? null : row;
  }
  return table.tokens === tokens.length ? answer_token : null;
}

/** The row of the prompt's last token, where a table holds a few tokens and this one; else -1. */
export const lastRow = ({ tokens }: SampleRecord, { at, tokens: rows }: Table): number =>
  at && rows > 1 ? at.indexOf(tokens.length - 1) : -1;

function addRow(part: PartSum, label: string, at: number, width: number, valueAt: Value): void {
  const zeros = () => columns.map(() => new Array<number>(width).fill(0));
  const row: RowSum = part.rows.get(label) ?? { at: 0, samples: 0, total: zeros(), count: zeros() };
  part.rows.set(label, row);
  row.at += at;
  row.samples++;
  columns.forEach((column, c) => {
    for (let i = 0; i < width; i++) {
      const value = valueAt(column, i);
      if (typeof value !== "number") continue;
      row.total[c]![i]! += value;
      row.count[c]![i]!++;
    }
  });
}

function means({ parts, ...table }: TableSum): MeanTable {
  return {
    ...table,
    parts: [...parts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { rows, ...part }]) => ({ ...part, rows: [...rows].map(([label, sum]) => meanRow(label, sum)) })),
  };
}

function meanRow(label: string, { at, samples, total, count }: RowSum): MeanRow {
  return {
    label,
    at: digits(at / samples),
    n: once(count[0]!),
    effects: once(count[3]!),
    means: total.map((row, c) => row.map((sum, i) => (count[c]![i] === 0 ? null : digits(sum / count[c]![i]!)))),
  };
}

/** Five digits are more than a picture shows, and keep the page small. */
const digits = (value: number): number => Number(value.toPrecision(5));

const once = (counts: number[]): number[] =>
  counts.every((count) => count === counts[0]) ? counts.slice(0, 1) : counts;
