/** The logit lens: what the runs would answer if the model ended after each layer. */
import type { Mode, SampleRecord } from "../record.ts";
import { inRows, nameBefore } from "./beside.ts";
import { escapeText } from "./heat-map.ts";
import { type Cell, listed, paragraph, section, table } from "./html.ts";
import { type Lines, lineChart } from "./lens-chart.ts";
import { type LensSum, runs, type values } from "./lens-tally.ts";
import type { Reported } from "./reported.ts";

export function lensSection(reported: readonly Reported[]): string {
  const charts = reported.map(
    (run) =>
      new Map(run.lens.means().map((sum) => [`${sum.task} ${sum.mode}`, chartsOf(nameBefore(reported, run, ""), sum)])),
  );
  if (charts.every((one) => one.size === 0)) return "";
  return section(
    "lens",
    "Logit lens",
    paragraph(
      "What the model would answer if it ended after each layer: the layer’s state at the answer’s position, read by the final norm and head. Means over samples; the last layer is the run itself. lens.csv holds each sample.",
      "quiet",
    ),
    inRows(charts),
  );
}

function chartsOf(run: string, { task, mode, samples, sums }: LensSum): string {
  const lines = (value: (typeof values)[number]): Lines => ({ clean: sums.clean[value], corrupt: sums.corrupt[value] });
  const about = `${task}, ${mode} corruption, n = ${samples}`;
  const named = run === "" ? `<b>${task}</b>` : `<b>${escapeText(run)}</b> ${task},`;
  return [
    `<figure class="map lens"><figcaption>${named} ${mode} corruption <small>n = ${samples}</small></figcaption>`,
    lineChart({ title: "Logit difference (logits)", about, lines: lines("logit_diff"), floor: null }),
    lineChart({ title: "P(correct)", about, lines: lines("p"), floor: 0 }),
    "</figure>",
  ].join("");
}

/** One sample's layers in both runs, by mode; `name` of the run goes before. */
export function lensDetails(modes: readonly Pick<SampleRecord, "mode" | "lens">[], name = ""): string {
  return modes.map(({ mode, lens }) => (lens ? lensTable(name, mode, lens) : "")).join("");
}

function lensTable(name: string, mode: Mode, lens: NonNullable<SampleRecord["lens"]>): string {
  const tables = runs.map((run) => {
    const { p, logit_diff, top1_text } = lens[run];
    const rows = p.map((value, layer): Cell[] => [String(layer), top1_text[layer]!, value, logit_diff[layer]!]);
    return table([`${run}, after layer`, "top token", "P", "LD"], rows, 0);
  });
  return `<details><summary>Logit lens, ${escapeText(listed(name, mode))} corruption</summary>${tables.join("")}</details>`;
}
