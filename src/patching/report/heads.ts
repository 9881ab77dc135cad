/** Which single heads matter most: mean scores at the correct answer's token, over all tasks and modes. */
import { layerOf } from "../layer.ts";
import type { RunRecord, SampleRecord } from "../record.ts";
import { type Column, columns } from "./grid.ts";
import { answerRow } from "./tally.ts";

export interface HeadMean {
  readonly kind: string;
  readonly layer: number;
  readonly head: number;
  readonly mean: number;
  /** Samples times modes. */
  readonly n: number;
}

interface HeadSum {
  readonly kind: string;
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

export function headTally(): { add(record: SampleRecord): void; strongest(column: Column): HeadMean[] } {
  const sums = new Map<string, HeadSum>();
  return {
    add(record) {
      for (const table of record.tables) {
        const token = answerRow(record, table);
        if (table.heads === null || token === null) continue;
        table.sites.forEach((site, l) => {
          table.heads!.forEach((head, h) => {
            const layer = layerOf(site, l);
            const key = `${table.kind} ${layer} ${head}`;
            const sum = sums.get(key) ?? {
              kind: table.kind,
              layer,
              head,
              total: columns.map(() => 0),
              count: columns.map(() => 0),
            };
            sums.set(key, sum);
            columns.forEach((column, c) => {
              const value = table.scores[column][(token * table.layers + l) * table.heads!.length + h];
              if (typeof value !== "number") return;
              sum.total[c]! += value;
              sum.count[c]!++;
            });
          });
        });
      }
    },
    strongest(column) {
      const c = columns.indexOf(column);
      return [...sums.values()]
        .filter(({ count }) => count[c]! > 0)
        .map(({ kind, layer, head, total, count }) => ({
          kind,
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
