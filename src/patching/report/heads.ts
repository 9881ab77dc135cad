/** Which single heads matter most: mean scores at the correct answer's token or the last one, over all tasks and modes. */
import { layerOf } from "../layer.ts";
import type { RunRecord, SampleRecord, Table } from "../record.ts";
import { type Column, columns } from "./grid.ts";
import { answerRow, lastRow } from "./tally.ts";

/** The correct answer's token, or the prompt's last. */
export type HeadToken = "answer" | "last";

export interface HeadMean {
  readonly kind: string;
  readonly token: HeadToken;
  readonly layer: number;
  readonly head: number;
  readonly mean: number;
  /** Samples times modes. */
  readonly n: number;
}

interface HeadSum {
  readonly kind: string;
  readonly token: HeadToken;
  readonly layer: number;
  readonly head: number;
  readonly total: number[];
  readonly count: number[];
}

/** All swept heads, those with the largest absolute mean first. Values that do not exist are left out. */
export function strongestHeads(records: Iterable<RunRecord>, column: Column = "logit_diff"): HeadMean[] {
  const heads = headTally();
  for (const record of records) if (!("failed" in record)) heads.add(record);
  return heads.strongest(column);
}

export interface HeadTally {
  add(record: SampleRecord): void;
  strongest(column: Column): HeadMean[];
}

export function headTally(): HeadTally {
  const sums = new Map<string, HeadSum>();

  function addRow({ kind, sites, layers, heads, scores }: Table, token: HeadToken, row: number | null): void {
    if (row === null) return;
    sites.forEach((site, l) => {
      heads!.forEach((head, h) => {
        const layer = layerOf(site, l);
        const key = `${kind} ${token} ${layer} ${head}`;
        const none = () => columns.map(() => 0);
        const sum = sums.get(key) ?? { kind, token, layer, head, total: none(), count: none() };
        sums.set(key, sum);
        columns.forEach((column, c) => {
          const value = scores[column][(row * layers + l) * heads!.length + h];
          if (typeof value !== "number") return;
          sum.total[c]! += value;
          sum.count[c]!++;
        });
      });
    });
  }

  return {
    add(record) {
      for (const table of record.tables) {
        if (table.heads === null || table.patches !== undefined || table.dropped !== undefined) continue;
        const last = lastRow(record, table);
        addRow(table, "answer", answerRow(record, table));
        if (last !== -1) addRow(table, "last", last);
      }
    },
    strongest(column) {
      const c = columns.indexOf(column);
      return [...sums.values()]
        .filter(({ count }) => count[c]! > 0)
        .map(({ kind, token, layer, head, total, count }) => ({
          kind,
          token,
          layer,
          head,
          mean: total[c]! / count[c]!,
          n: count[c]!,
        }))
        .sort(
          (a, b) =>
            Math.abs(b.mean) - Math.abs(a.mean) || a.layer - b.layer || a.head - b.head || (a.kind < b.kind ? -1 : 1),
        );
    },
  };
}
