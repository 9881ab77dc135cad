/** Names for the rows of a heat map, the same for all samples of a task, so that prompts of different length align. */
import type { SampleRecord, Table } from "../record.ts";

export interface RoleRow {
  /** Row of the table. */
  readonly row: number;
  /** Its place in the prompt, from 0 to 1. */
  readonly at: number;
  readonly label: string;
}

const articles = new Set(["a", "an", "the"]);

/**
 * A word stands under its role and is seen at its last piece. An article is named after the word it belongs to, any
 * other role that comes again is numbered. Tables that do not run over the prompt have positions instead of roles.
 */
export function roleRows({ tokens }: SampleRecord, table: Table): RoleRow[] {
  if (!table.at && table.tokens !== tokens.length) {
    return Array.from({ length: table.tokens }, (_, row) => ({
      row,
      at: row / Math.max(1, table.tokens - 1),
      label: table.tokens === 1 ? "[decoder]" : String(row),
    }));
  }
  const seen = new Map<string, number>();
  return tokens.flatMap(({ role, piece, pieces }, token): RoleRow[] => {
    if (piece !== pieces - 1) return [];
    const next = tokens[token + 1]?.role;
    const name = articles.has(role) && next !== undefined ? `${role} (${next})` : role;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    const row = table.at ? table.at.indexOf(token) : token;
    const at = token / Math.max(1, tokens.length - 1);
    return row === -1 ? [] : [{ row, at, label: times === 1 ? name : `${name} ${times}` }];
  });
}
