/** Head scores out of runs: of each sample the row of the correct answer's token, gathered by task, corruption and kind. */
import { basename, resolve } from "node:path";
import { UserError } from "../../models/errors.ts";
import type { ScoreMatrix } from "../circuit-statistics.ts";
import type { Compat, Mode, RunSettings, Task } from "../record.ts";
import type { Column } from "../report/grid.ts";
import { readSettings } from "../settings.ts";
import { type Pile, readScores } from "./pile.ts";
import { checkLengths, checkTogether, type GivenRun } from "./runs.ts";

/** Scores of all heads of one kind in one task and corruption. */
export interface Panel {
  readonly task: Task;
  readonly mode: Mode;
  readonly kind: string;
  readonly direction: RunSettings["direction"];
  /** Whose row was taken: that of the correct answer's token, or the only one that was swept. */
  readonly token: "answer" | "only";
  readonly layers: readonly number[];
  readonly heads: readonly number[];
  /** One per layer. */
  readonly sites: readonly string[];
  /** Scores that do not exist or are not finite: left out, or 0 as in the original. */
  readonly missing: number;
  /** Samples without such a row, by reason. */
  readonly left_out: Readonly<Record<string, number>>;
  /** Samples in the order of the data file. */
  readonly matrix: ScoreMatrix;
}

export interface RunFacts extends Pick<RunSettings, "model" | "compat" | "tasks" | "modes" | "direction"> {
  readonly name: string;
  readonly data_sha256: string;
}

export interface Gathered {
  readonly runs: readonly RunFacts[];
  readonly compat: Compat;
  readonly panels: readonly Panel[];
  /** Kinds with heads of which no sample has a usable row. */
  readonly without: readonly Pick<Panel, "task" | "mode" | "kind" | "direction" | "left_out">[];
}

export interface GatherOptions {
  /** Default: logit_diff, or what the original's code takes: p_patched. */
  readonly column?: Column;
  /** Default: as the runs were made. */
  readonly compat?: Compat;
  /** Rows that the original loses, and runs without any scores, are left out and not refused (D10). */
  readonly lenient?: boolean;
}

export const columnFor = (compat: Compat, column?: Column): Column =>
  column ?? (compat === "upstream" ? "p_patched" : "logit_diff");

/**
 * Reads runs record by record.
 * @throws UserError for runs that cannot be put together, with the difference; for none with heads
 */
export async function gatherScores(folders: readonly string[], options: GatherOptions = {}): Promise<Gathered> {
  const runs: GivenRun[] = [];
  for (const folder of folders) {
    if (runs.some((run) => resolve(run.folder) === resolve(folder)))
      throw new UserError(`circuits: ${folder} is given twice; give each run once`);
    const settings = await readSettings(folder);
    for (const other of runs) checkTogether(other, { folder, settings });
    runs.push({ folder, settings });
  }
  const compat = options.compat ?? runs[0]!.settings.compat;
  const column = columnFor(compat, options.column);
  const piles = new Map<string, Pile>();
  for (const run of runs) {
    const lengths = await readScores(run, column, piles);
    if (compat === "upstream" && !options.lenient) checkLengths(run, lengths);
  }
  const sorted = [...piles.values()].sort(inOrder);
  const full = sorted.filter(hasScores);
  if (full.length === 0 && !options.lenient) throw new UserError(`circuits: ${nothingFound(folders, sorted)}`);
  return {
    runs: runs.map(factsOf),
    compat,
    panels: full.map((pile) => panelOf(pile, compat)),
    without: sorted
      .filter((pile) => !hasScores(pile))
      .map(({ task, mode, kind, direction, rows }) => ({ task, mode, kind, direction, left_out: leftOut(rows) })),
  };
}

function nothingFound(folders: readonly string[], piles: readonly Pile[]): string {
  const reasons = [...new Set(piles.flatMap(({ rows }) => Object.keys(leftOut(rows))))];
  return reasons.length === 0
    ? `found no scores of single heads in ${folders.join(", ")}; sweep a kind that has heads, with --heads all`
    : `no sample of ${folders.join(", ")} has usable scores of single heads (${reasons.join("; ")}); sweep more samples, or kinds at the prompt's tokens`;
}

const hasScores = ({ rows }: Pile): boolean => [...rows.values()].some(({ scores }) => typeof scores === "object");

const factsOf = ({ folder, settings }: GivenRun): RunFacts => {
  const { model, compat, tasks, modes, direction, data } = settings;
  return { name: basename(resolve(folder)), model, compat, tasks, modes, direction, data_sha256: data.sha256 };
};

/** Samples without scores, by reason. */
function leftOut(rows: Pile["rows"]): Record<string, number> {
  const reasons = [...rows.values()].map(({ scores }) => scores).filter((scores) => typeof scores === "string");
  return Object.fromEntries(
    [...new Set(reasons)].sort().map((reason) => [reason, reasons.filter((one) => one === reason).length]),
  );
}

const inOrder = (a: Pile, b: Pile): number => {
  const [one, other] = [a, b].map(({ kind, direction, token, task, mode }) => [kind, direction, token, task, mode]);
  const at = one!.findIndex((word, i) => word !== other![i]);
  return at === -1 ? 0 : one![at]! < other![at]! ? -1 : 1;
};

function panelOf({ run: _, rows, ...pile }: Pile, compat: Compat): Panel {
  const samples = [...rows]
    .sort(([a], [b]) => a - b)
    .map(([, { scores }]) => scores)
    .filter((scores) => typeof scores === "object");
  const cells = pile.layers.length * pile.heads.length;
  const values = new Float32Array(samples.length * cells);
  samples.forEach((scores, s) => {
    values.set(scores, s * cells);
  });
  let missing = 0;
  const present = new Uint8Array(values.length).fill(1);
  values.forEach((value, i) => {
    if (Number.isFinite(value)) return;
    values[i] = 0;
    if (compat === "corrected") present[i] = 0;
    missing++;
  });
  return {
    ...pile,
    missing,
    left_out: leftOut(rows),
    matrix: { samples: samples.length, cells, values, present: present.includes(0) ? present : null },
  };
}
