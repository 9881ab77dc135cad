/** What `notice circuits` finds, as one document and as a table: the same runs and options give the same bytes. */
import { csvRow } from "../../data/table.ts";
import { version } from "../../version.ts";
import { type Circuit, type CircuitOptions, circuitOf, FLIPS, SPLITS } from "../circuit.ts";
import type { Compat, RunSettings } from "../record.ts";
import type { Column } from "../report/grid.ts";
import { type TwoWays, twoWays, type Universal, universalHeads } from "./compare.ts";
import { columnFor, type Gathered, type GatherOptions, gatherScores, type RunFacts } from "./scores.ts";

export interface Circuits extends CircuitOptions {
  readonly format: 1;
  readonly package_version: string;
  readonly model: RunSettings["model"];
  readonly compat: Compat;
  readonly column: Column;
  /** How many random halves and random signs were drawn. */
  readonly splits: number;
  readonly flips: number;
  readonly runs: readonly RunFacts[];
  readonly circuits: readonly Circuit[];
  readonly universal: readonly Universal[];
  readonly two_ways: readonly TwoWays[];
  readonly without: Gathered["without"];
}

export async function findCircuits(
  folders: readonly string[],
  { sigma, bootstrap, seed, ...options }: CircuitOptions & GatherOptions,
): Promise<Circuits> {
  const { runs, compat, panels, without } = await gatherScores(folders, options);
  const circuits = panels.map((panel) => circuitOf(panel, { sigma, bootstrap, seed }));
  return {
    format: 1,
    package_version: version(),
    model: runs[0]!.model,
    compat,
    column: columnFor(compat, options.column),
    ...{ sigma, bootstrap, seed, splits: SPLITS, flips: FLIPS },
    runs,
    circuits,
    universal: universalHeads(circuits),
    two_ways: twoWays(circuits),
    without,
  };
}

const csvColumns = [
  ...["task", "mode", "kind", "direction", "site", "layer", "head", "n"],
  ...["strength", "strength_low", "strength_high", "mean", "mean_low", "mean_high"],
  ...["p", "q", "important", "stability", "universal", "published"],
];

/** One row for each head, empty where a value does not exist. */
export function circuitsCsv({ circuits, universal }: Circuits): string {
  const number = (value: number | null | undefined) => (value === null || value === undefined ? "" : value);
  const rows = circuits.flatMap((circuit) => {
    const { task, mode, kind, direction, heads, sites } = circuit;
    const everywhere = universalOf(universal, circuit);
    return circuit.scores.map((one, i) =>
      csvRow([
        ...[task, mode, kind, direction, sites[Math.floor(i / heads.length)]!, one.layer, one.head, one.n],
        ...[one.strength, ...(one.strength_interval ?? [null, null])].map(number),
        ...[one.mean, ...(one.interval ?? [null, null]), one.p, one.q].map(number),
        ...[String(one.important), number(one.stability), String(everywhere.includes(one.name)), String(one.published)],
      ]),
    );
  });
  return csvRow(csvColumns) + rows.join("");
}

/** The universal heads of a circuit's kind, direction and token. */
export const universalOf = (universal: readonly Universal[], { kind, direction, token }: Circuit): readonly string[] =>
  universal.find((one) => one.kind === kind && one.direction === direction && one.token === token)?.heads ?? [];
