/** Names for the rows of a heat map, the same for all samples of a task, so that prompts of different length align. */
import type { SampleRecord, Table } from "../record.ts";

export interface RoleRow {
  readonly token: number;
  readonly label: string;
}

const articles = new Set(["a", "an", "the"]);

/**
 * A word stands under its role and is seen at its last piece. An article is named after the word it belongs to, any
 * other role that comes again is numbered. Tables that do not run over the prompt have positions instead of roles.
 */
export function roleRows({ tokens }: SampleRecord, table: Table): RoleRow[] {
  if (table.tokens !== tokens.length) {
    return Array.from({ length: table.tokens }, (_, token) => ({
      token,
      label: table.tokens === 1 ? "[decoder]" : String(token),
    }));
  }
  const seen = new Map<string, number>();
  return tokens.flatMap(({ role, piece, pieces }, token): RoleRow[] => {
    if (piece !== pieces - 1) return [];
    const next = tokens[token + 1]?.role;
    const name = articles.has(role) && next !== undefined ? `${role} (${next})` : role;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return [{ token, label: times === 1 ? name : `${name} ${times}` }];
  });
}
