/** Mean scores as they are stored in the page, and the table that a choice of group and order makes of them. */
export const columns = ["p_patched", "p_diff", "logit_diff", "effect"] as const;
export type Column = (typeof columns)[number];

/** One row of means over the samples of a group and order. */
export interface MeanRow {
  readonly label: string;
  /** Mean place in the prompt, from 0 to 1. */
  readonly at: number;
  /** How many samples have the cell: one number where it is the same in the whole row. */
  readonly n: readonly number[];
  /** The same for `effect`, which a sample may lack. */
  readonly effects: readonly number[];
  /** By column, then along the row. */
  readonly means: readonly (readonly (number | null)[])[];
}

export interface Part {
  readonly group: string;
  readonly correctFirst: boolean;
  readonly samples: number;
  readonly rows: readonly MeanRow[];
}

/** In the order of the report. */
export const views = ["tokens", "patches", "heads", "last"] as const;

/**
 * All means of a task, mode and kind: tokens by layers; the picture's rows by columns, mean over layers; layers by heads
 * at the correct answer's token, or at the prompt's last one.
 */
export interface MeanTable {
  readonly task: string;
  readonly mode: string;
  readonly kind: string;
  readonly what: (typeof views)[number];
  /** Layer numbers, head numbers, or the picture's columns. */
  readonly across: readonly number[];
  /** One per layer. */
  readonly sites: readonly string[];
  readonly parts: readonly Part[];
}

/** The tables of a run, which has a name beside others. */
export interface RunTables {
  readonly name: string;
  readonly tables: readonly MeanTable[];
}

/** What the axes of a view mean, where it looks, and what it is called. */
export const viewText = {
  tokens: { x: "Layer", y: "Token", where: "", title: "Tokens", file: "heatmap", missing: "tokens were" },
  patches: {
    x: "Column",
    y: "Row",
    where: ", mean over layers",
    title: "Patches of the picture, mean over layers",
    file: "patches",
    missing: "patches of the picture were",
  },
  heads: {
    x: "Head",
    y: "Layer",
    where: ", at the correct answer",
    title: "Heads, at the correct answer’s token",
    file: "heads",
    missing: "single heads were",
  },
  last: {
    x: "Head",
    y: "Layer",
    where: ", at the last token",
    title: "Heads, at the prompt’s last token",
    file: "heads-last",
    missing: "single heads at the last token were",
  },
} as const satisfies Record<MeanTable["what"], unknown>;

export interface Grid {
  readonly samples: number;
  readonly rows: readonly {
    readonly label: string;
    readonly values: readonly (number | null)[];
    readonly counts: readonly number[];
  }[];
}

interface Sum {
  at: number;
  weight: number;
  readonly total: number[];
  readonly count: number[];
}

/** One column of a table, over one group and order or (null) over all. Rows stand in the order of the prompt. */
export function combine(table: MeanTable, column: Column, group: string | null, correctFirst: boolean | null): Grid {
  const parts = table.parts.filter(
    (part) => (group === null || part.group === group) && (correctFirst === null || part.correctFirst === correctFirst),
  );
  const both = parts.some((part) => part.correctFirst) && parts.some((part) => !part.correctFirst);
  const sums = new Map<string, Sum>();
  for (const part of parts) {
    const places = new Map(part.rows.map(({ label, at }) => [label, at]));
    for (const row of part.rows) {
      const sum = sums.get(row.label) ?? {
        at: 0,
        weight: 0,
        total: table.across.map(() => 0),
        count: table.across.map(() => 0),
      };
      sums.set(row.label, sum);
      // With both orders in one table the answers change places: rows stand as in Correct First.
      const at = both && !part.correctFirst ? (places.get(swapped(row.label)) ?? row.at) : row.at;
      sum.at += at * part.samples;
      sum.weight += part.samples;
      addRow(sum, row, columns.indexOf(column), column === "effect" ? row.effects : row.n);
    }
  }
  const rows = [...sums].map(([label, { at, weight, total, count }]) => ({
    label,
    at: at / weight,
    values: total.map((value, i) => (count[i] === 0 ? null : value / count[i]!)),
    counts: count,
  }));
  rows.sort((a, b) => Math.round(1e6 * (a.at - b.at)) || (a.label < b.label ? -1 : 1));
  return { samples: parts.reduce((sum, { samples }) => sum + samples, 0), rows };
}

function addRow(sum: Sum, row: MeanRow, column: number, counts: readonly number[]): void {
  row.means[column]!.forEach((mean, i) => {
    if (mean === null) return;
    const n = counts.length === 1 ? counts[0]! : counts[i]!;
    sum.total[i]! += mean * n;
    sum.count[i]! += n;
  });
}

const swapped = (label: string): string =>
  label.replace(/\b(in)?correct\b/, (_, prefix) => (prefix ? "correct" : "incorrect"));

export const orderName = (correctFirst: boolean | null): string =>
  correctFirst === null ? "both orders" : correctFirst ? "Correct First" : "Incorrect First";

export const groupsOf = (table: MeanTable): string[] => [...new Set(table.parts.map(({ group }) => group))].sort();
