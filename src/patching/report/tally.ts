/** Sums scores over samples, record by record, into the tables of means that the report shows. */
import { layerOf } from "../layer.ts";
import type { Json, Mode, RunSettings, SampleRecord, Table, Task } from "../record.ts";
import { columns, type MeanRow, type MeanTable } from "./grid.ts";
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
        const part = partOf(sums, record, table);
        part.samples++;
        if (table.heads === null) addTokens(part, record, table);
        else addHeads(part, record, table);
      }
    },
    tables() {
      const rank = ({ task, mode, kind, what }: TableSum) =>
        [
          tasks.indexOf(task as Task),
          modes.indexOf(mode as Mode),
          kinds.indexOf(kind),
          what === "heads" ? 1 : 0,
        ] as const;
      const order = (a: readonly number[], b: readonly number[]) =>
        a.map((value, i) => value - b[i]!).find((d) => d !== 0) ?? 0;
      return [...sums.values()].sort((a, b) => order(rank(a), rank(b))).map(means);
    },
  };
}

function partOf(
  sums: Map<string, TableSum>,
  { task, mode, group, correct_first }: SampleRecord,
  { kind, sites, heads }: Table,
): PartSum {
  const what = heads ? "heads" : "tokens";
  const key = [task, mode, kind, what].join("\n");
  const sum: TableSum = sums.get(key) ?? {
    task,
    mode,
    kind,
    what,
    across: heads ?? sites.map(layerOf),
    sites,
    parts: new Map(),
  };
  sums.set(key, sum);
  const name = `${group}\n${correct_first ? 0 : 1}`;
  const part = sum.parts.get(name) ?? { group, correctFirst: correct_first, samples: 0, rows: new Map() };
  sum.parts.set(name, part);
  return part;
}

/** Tokens down, layers across. */
function addTokens(part: PartSum, record: SampleRecord, table: Table): void {
  for (const { token, label } of roleRows(record, table)) {
    addRow(part, label, token / Math.max(1, table.tokens - 1), table, token * table.layers, table.layers);
  }
}

/** Layers down, heads across, at the correct answer's token. */
function addHeads(part: PartSum, record: SampleRecord, table: Table): void {
  const token = answerRow(record, table);
  if (token === null) return;
  const heads = table.heads!.length;
  table.sites.forEach((site, layer) => {
    addRow(
      part,
      String(layerOf(site, layer)),
      layer / Math.max(1, table.layers - 1),
      table,
      (token * table.layers + layer) * heads,
      heads,
    );
  });
}

/** The token whose row is a sample's head table: the correct answer's last piece; the only one where there is one. */
export function answerRow({ answer_token, tokens }: SampleRecord, table: Table): number | null {
  if (table.tokens === 1) return 0;
  return table.tokens === tokens.length ? answer_token : null;
}

function addRow(part: PartSum, label: string, at: number, { scores }: Table, start: number, width: number): void {
  const zeros = () => columns.map(() => new Array<number>(width).fill(0));
  const row: RowSum = part.rows.get(label) ?? { at: 0, samples: 0, total: zeros(), count: zeros() };
  part.rows.set(label, row);
  row.at += at;
  row.samples++;
  columns.forEach((column, c) => {
    for (let i = 0; i < width; i++) {
      const value: Json = scores[column][start + i] ?? null;
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
