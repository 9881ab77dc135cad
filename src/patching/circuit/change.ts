/** What becomes of a circuit when the same samples are swept in another way. */
import { applyRule, type HeadName } from "../circuit.ts";
import { spearman } from "../circuit-statistics.ts";
import { sharedHeads } from "./compare.ts";
import type { Gathered, Panel } from "./scores.ts";

export interface CircuitChange extends Pick<Panel, "mode" | "kind"> {
  /** Samples with scores of heads, before and after, and why some have none afterwards. */
  readonly samples: { readonly before: number; readonly after: number };
  readonly left_out: Panel["left_out"];
  /** Spearman correlation of the heads' strengths. */
  readonly rank_correlation: number | null;
  /** Important heads. */
  readonly both: readonly HeadName[];
  readonly lost: readonly HeadName[];
  readonly gained: readonly HeadName[];
  /** The head whose strength changes most, null where none does; absent where there is no other or it has another unit. */
  readonly largest?: { readonly head: HeadName; readonly before: number; readonly after: number } | null;
}

type Scores = Pick<Gathered, "panels" | "without">;

/** One for each corruption and kind that had a circuit. */
export function circuitChanges(before: Scores, after: Scores, sigma: number, sameUnit: boolean): CircuitChange[] {
  return before.panels.map((panel) => {
    const isLike = (one: Pick<Panel, "mode" | "kind">) => one.mode === panel.mode && one.kind === panel.kind;
    const left_out = [...after.panels, ...after.without].find(isLike)?.left_out ?? {};
    return { ...change(panel, after.panels.find(isLike), sigma, sameUnit), left_out };
  });
}

/** Without a panel every row was lost, and all heads with them. */
function change(
  panel: Panel,
  other: Panel | undefined,
  sigma: number,
  sameUnit: boolean,
): Omit<CircuitChange, "left_out"> {
  const { mode, kind, matrix } = panel;
  const { names, strength, important } = applyRule(panel, sigma);
  const then = other && applyRule(other, sigma);
  const [both, lost, gained] = sharedHeads(important, then?.important ?? []);
  return {
    ...{ mode, kind, both, lost, gained },
    samples: { before: matrix.samples, after: other?.matrix.samples ?? 0 },
    rank_correlation: then ? spearman(strength, then.strength) : null,
    ...(then && sameUnit && { largest: largestChange(names, strength, then.strength) }),
  };
}

/** Over the heads that have a strength both times; of equal ones the first. */
function largestChange(
  names: readonly HeadName[],
  before: Float64Array,
  after: Float64Array,
): NonNullable<CircuitChange["largest"]> | null {
  let largest: NonNullable<CircuitChange["largest"]> | null = null;
  for (const [c, head] of names.entries()) {
    const [one, other] = [before[c]!, after[c]!];
    const size = Math.abs(other - one);
    const most = largest ? Math.abs(largest.after - largest.before) : 0;
    if (size > most) largest = { head, before: one, after: other };
  }
  return largest;
}
