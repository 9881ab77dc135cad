/** Sums of the logit lens over samples, by layer. */
import type { Mode, SampleRecord, Task } from "../record.ts";

export const runs = ["clean", "corrupt"] as const;
export const values = ["logit_diff", "p"] as const;
type Sums = Record<(typeof runs)[number], Record<(typeof values)[number], number[]>>;

/** One task and mode. */
export interface LensSum {
  readonly task: Task;
  readonly mode: Mode;
  samples: number;
  readonly sums: Sums;
}

export type LensTally = ReturnType<typeof lensTally>;

export function lensTally() {
  const found = new Map<string, LensSum>();
  return {
    add({ task, mode, lens }: Pick<SampleRecord, "task" | "mode" | "lens">): void {
      if (!lens) return;
      const zeros = () => lens.clean.p.map(() => 0);
      const none = () => ({ logit_diff: zeros(), p: zeros() });
      const key = `${task} ${mode}`;
      const sum: LensSum = found.get(key) ?? { task, mode, samples: 0, sums: { clean: none(), corrupt: none() } };
      found.set(key, sum);
      sum.samples++;
      for (const run of runs)
        for (const value of values)
          lens[run][value].forEach((number, layer) => {
            sum.sums[run][value][layer]! += number;
          });
    },
    /** By task and mode. */
    means(): LensSum[] {
      const mean = (sum: readonly number[], samples: number) => sum.map((value) => value / samples);
      return [...found.entries()]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { sums, samples, ...rest }]) => {
          const of = (run: (typeof runs)[number]) => ({
            logit_diff: mean(sums[run].logit_diff, samples),
            p: mean(sums[run].p, samples),
          });
          return { ...rest, samples, sums: { clean: of("clean"), corrupt: of("corrupt") } };
        });
    },
  };
}
