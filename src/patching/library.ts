/** Sweeps for programs. */
import type { Model } from "../models/model.ts";
import { applyPlan, type PlannedCell } from "./apply-plan.ts";
import { type Plan, readPlan } from "./plan.ts";
import type { LogitSummary, Scores } from "./record.ts";
import { MIN_DENOMINATOR, scores, summary } from "./score.ts";

export type { PlannedCell } from "./apply-plan.ts";

export interface PlanScores {
  readonly plan: Plan;
  readonly clean: LogitSummary;
  readonly corrupt: LogitSummary;
  /** In the order of the plan, `each` and patterns spelled out. */
  readonly cells: readonly (PlannedCell & Scores & { readonly changed: boolean })[];
}

export interface SweepCallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (cells: number) => void;
  /** Below this |LD_clean - LD_corrupt| the effect is null; default 1e-3. */
  readonly minDenominator?: number;
}

/**
 * Runs plans one after another, each as one exact growing batch.
 * @throws UserError for a site, token or head that matches nothing, before anything is run
 */
export async function* sweep(model: Model, plans: unknown, options: SweepCallOptions = {}): AsyncGenerator<PlanScores> {
  const { minDenominator = MIN_DENOMINATOR, ...rest } = options;
  for (const plan of [plans].flat().map(readPlan)) {
    const result = await applyPlan(model, plan, rest);
    yield {
      plan,
      clean: summary(result.clean),
      corrupt: summary(result.corrupt),
      cells: result.cells.map((row, i) => ({
        ...result.planned[i]!,
        ...scores(row, result.clean, result.corrupt, { compat: "corrected", minDenominator }),
        changed: result.changed[i]!,
      })),
    };
  }
}
