/** What the selections of the three tasks have in common. */
import type { DefectStates, selectDefects } from "./defects.ts";
import type { Cells } from "./table.ts";

export interface Answered {
  /** Its index in the file. */
  readonly label: number;
  readonly cells: Cells;
  readonly isRight: boolean;
}

export interface Group {
  answered: number;
  right: number;
  /** right / answered */
  accuracy: number;
  chosen: number;
  /** Rows that it has fewer than asked for. */
  short: number;
}

export interface SelectReport {
  readonly groups: Record<string, Group>;
  readonly drops: Record<string, number>;
  /** Chosen rows without a corrupt prompt (D11), which a sweep refuses. */
  empty_prompts: number;
}

export interface Selection {
  readonly seed: number;
  readonly perGroup: number;
  readonly defects: DefectStates<typeof selectDefects>;
  readonly report: SelectReport;
}

export const newReport = (): SelectReport => ({ groups: {}, drops: {}, empty_prompts: 0 });

export function leaveOut({ drops }: SelectReport, reason: string, rows: number): void {
  if (rows > 0) drops[reason] = (drops[reason] ?? 0) + rows;
}

/** The rows that were answered rightly; the rest is counted. */
export function rightOnes(rows: readonly Answered[], report: SelectReport): Answered[] {
  const right = rows.filter(({ isRight }) => isRight);
  const failed = rows.filter(({ cells }) => cells.generated_text === "Error in generation").length;
  leaveOut(report, "error in generation", failed);
  leaveOut(report, "answered wrongly", rows.length - right.length - failed);
  return right;
}

/** Counts a group; `rows` are all that were answered, rightly or not. */
export function countGroup(
  { report, perGroup }: Selection,
  name: string,
  rows: readonly Answered[],
  chosen: number,
  wanted = perGroup,
): void {
  const right = rows.filter(({ isRight }) => isRight).length;
  const accuracy = rows.length === 0 ? 0 : right / rows.length;
  report.groups[name] = { answered: rows.length, right, accuracy, chosen, short: Math.max(0, wanted - chosen) };
}

export const withOrder = (row: Answered, correctFirst: boolean): Answered => ({
  ...row,
  cells: { ...row.cells, correct_first: correctFirst ? "True" : "False" },
});
