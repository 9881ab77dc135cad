/** The logit lens: what the runs would answer if the model ended after each layer. */
import type { Mode, SampleRecord, Task } from "../record.ts";
import { escapeText } from "./heat-map.ts";
import { type Cell, paragraph, section, table } from "./html.ts";
import { type Lines, lineChart } from "./lens-chart.ts";

const runs = ["clean", "corrupt"] as const;
const values = ["logit_diff", "p"] as const;
type Sums = Record<(typeof runs)[number], Record<(typeof values)[number], number[]>>;

/** One task and mode. */
interface LensSum {
  readonly task: Task;
  readonly mode: Mode;
  samples: number;
  readonly sums: Sums;
}

export type LensTally = ReturnType<typeof lensTally>;

/** Sums over samples, by layer. */
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

export function lensSection(tally: LensTally): string {
  const means = tally.means();
  if (means.length === 0) return "";
  return section(
    "lens",
    "Logit lens",
    paragraph(
      "What the model would answer if it ended after each layer: the layer’s state at the answer’s position, read by the final norm and head. Means over samples; the last layer is the run itself. lens.csv holds each sample.",
      "quiet",
    ),
    `<div class="many">${means.map(charts).join("\n")}</div>`,
  );
}

function charts({ task, mode, samples, sums }: LensSum): string {
  const lines = (value: (typeof values)[number]): Lines => ({ clean: sums.clean[value], corrupt: sums.corrupt[value] });
  const about = `${task}, ${mode} corruption, n = ${samples}`;
  return [
    `<figure class="map lens"><figcaption><b>${task}</b> ${mode} corruption <small>n = ${samples}</small></figcaption>`,
    lineChart({ title: "Logit difference (logits)", about, lines: lines("logit_diff"), floor: null }),
    lineChart({ title: "P(correct)", about, lines: lines("p"), floor: 0 }),
    "</figure>",
  ].join("");
}

/** One sample's layers in both runs, by mode. */
export function lensDetails(modes: readonly Pick<SampleRecord, "mode" | "lens">[]): string {
  return modes.map(({ mode, lens }) => (lens ? lensTable(mode, lens) : "")).join("");
}

function lensTable(mode: Mode, lens: NonNullable<SampleRecord["lens"]>): string {
  const tables = runs.map((run) => {
    const { p, logit_diff, top1_text } = lens[run];
    const rows = p.map((value, layer): Cell[] => [String(layer), top1_text[layer]!, value, logit_diff[layer]!]);
    return table([`${run}, after layer`, "top token", "P", "LD"], rows, 0);
  });
  return `<details><summary>Logit lens, ${escapeText(mode)} corruption</summary>${tables.join("")}</details>`;
}
