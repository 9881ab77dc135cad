/** The beginning of the report: what was run, in words and in the numbers that everything else rests on. */
import type { RunSettings } from "../record.ts";
import { each } from "./beside.ts";
import { type Facts, inOrder, type Setting } from "./facts.ts";
import { columns } from "./grid.ts";
import type { HeadMean, HeadTally } from "./heads.ts";
import { paragraph, plural, table, whole } from "./html.ts";
import { short } from "./palette.ts";
import type { Reported } from "./reported.ts";

type Heads = Pick<HeadTally, "strongest">;

const shownHeads = 12;

export const headName = ({ layer, head }: Pick<HeadMean, "layer" | "head">): string => `L${layer}.H${head}`;

export const summarySection = (runs: readonly Reported[]): string => each("summary", "Summary", runs, summaryOf);

function summaryOf({ settings, facts, heads }: Reported): string {
  const mini = settings.model.name.endsWith("-mini")
    ? paragraph(
        `${settings.model.name} is a miniature that was trained to show how the method works. What its heads do is no evidence about the real model.`,
        "note",
      )
    : "";
  const words = [paragraph(sentences(settings, facts, heads).join(" "), "lead"), verdict(facts), mini].join("\n");
  return `<div class="two"><div>${words}</div><div>${baseline(facts)}</div></div>`;
}

function sentences(settings: RunSettings, facts: Facts, heads: Heads): string[] {
  const runs = [...facts.settings.values()].reduce((sum, { samples }) => sum + samples, 0);
  const counts = [...facts.counts.values()];
  const total = (field: "cells" | "missing" | "unchanged") => counts.reduce((sum, count) => sum + count[field], 0);
  const [from, into] = settings.direction === "denoising" ? ["clean", "corrupt"] : ["corrupt", "clean"];
  const strong = heads.strongest("logit_diff").slice(0, 3);
  const of = ({ kind, token }: HeadMean) =>
    `${settings.kinds.length === 1 ? "" : ` of ${kind}`}${token === "last" ? " at the last token" : ""}`;
  const anywhere = strong.some(({ token }) => token === "last");
  return [
    `${plural(facts.samples.size, "sample")} in ${settings.modes.join(" and ")} corruption: ${plural(runs, "sweep")} finished` +
      `${facts.failed.length > 0 ? `, ${facts.failed.length} failed` : ", none failed"}.`,
    `Each of ${plural(total("cells"), "cell")} is one value of the ${from} run put into the ${into} run` +
      `${total("missing") > 0 ? `; ${whole(total("missing"))} more could not be run, for want of a counterpart in the other prompt` : ""}.`,
    ...(strong.length > 0
      ? [
          `${anywhere ? "The" : "At the correct answer’s token the"} strongest single heads by mean change of the logit difference are ` +
            `${strong.map((one) => `${headName(one)}${of(one)} (${signed(one.mean)}, n = ${one.n})`).join(", ")}.`,
        ]
      : []),
  ];
}

function verdict({ checks }: Facts): string {
  const failed = inOrder(checks).reduce((sum, check) => sum + check.failed, 0);
  const all = inOrder(checks).reduce((sum, check) => sum + check.passed, failed);
  if (all === 0) return paragraph("No self-checks were recorded.");
  if (failed === 0) return paragraph(`All ${plural(all, "self-check")} passed.`);
  return paragraph(
    `${whole(failed)} of ${plural(all, "self-check")} failed: do not trust these numbers before the cause is found.`,
    "alarm",
  );
}

export const signed = (value: number): string => `${value > 0 ? "+" : ""}${short(value)}`;

function baseline({ settings }: Facts): string {
  const mean = ({ samples }: Setting, sum: number) => sum / samples;
  const rows = inOrder(settings).map((setting) => [
    setting.task,
    setting.mode,
    whole(setting.samples),
    mean(setting, setting.clean.probability),
    mean(setting, setting.corrupt.probability),
    mean(setting, setting.clean.difference),
    mean(setting, setting.corrupt.difference),
  ]);
  if (rows.length === 0) return paragraph("No sample was finished.", "quiet");
  const head = ["Task", "Corruption", "Samples", "P clean", "P corrupt", "LD clean", "LD corrupt"];
  return [
    "<h3>What the corruption does</h3>",
    paragraph(
      "Means over samples, unpatched. P is the probability of the correct answer, LD the logit difference, correct minus incorrect answer.",
      "quiet",
    ),
    table(head, rows, 2),
  ].join("\n");
}

/** The strongest heads with all four columns. */
export const strongestSection = (runs: readonly Reported[]): string =>
  each(
    "strongest",
    "Strongest heads",
    runs,
    strongestOf,
    paragraph(
      "Means at the correct answer’s token, or at the prompt’s last one, over all tasks and corruptions, largest absolute change of the logit difference first; n counts samples once per corruption.",
      "quiet",
    ),
  );

function strongestOf({ settings: { defects }, heads }: Reported): string {
  const strong = heads.strongest("logit_diff").slice(0, shownHeads);
  if (strong.length === 0) return paragraph("No single heads were patched in this run.", "quiet");
  const others = new Map(
    columns.map((column) => [column, new Map(heads.strongest(column).map((one) => [keyOf(one), one.mean]))]),
  );
  const most = Math.abs(strong[0]!.mean) || 1;
  const rows = strong.map((one, i) => [
    String(i + 1),
    headName(one),
    one.kind,
    one.token === "last" ? "last" : "answer",
    { html: bar(one.mean / most) },
    signed(one.mean),
    ...(["p_diff", "effect", "p_patched"] as const).map((column) => {
      const mean = others.get(column)!.get(keyOf(one));
      return mean === undefined ? "–" : column === "p_patched" ? short(mean) : signed(mean);
    }),
    whole(one.n),
  ]);
  const shifted =
    defects.D4 === "upstream"
      ? paragraph(
          "D4 is upstream: as in the original, head tables stand one token before the correct answer’s.",
          "note",
        )
      : "";
  const head = ["", "Head", "Kind", "Token", "", "logit_diff", "p_diff", "effect", "p_patched", "n"];
  return shifted + table(head, rows, 5);
}

const keyOf = (one: HeadMean): string => `${one.kind} ${one.token} ${headName(one)}`;

/** From the middle to the right for what helps the correct answer, to the left for what harms it. */
function bar(share: number): string {
  const width = 60 * Math.min(1, Math.abs(share));
  const x = share < 0 ? 60 - width : 60;
  const colour = share < 0 ? "#2166ac" : "#b2182b";
  return (
    `<svg class="bar" width="120" height="12" viewBox="0 0 120 12" aria-hidden="true"><rect x="${x.toFixed(1)}" y="1" width="${width.toFixed(1)}" height="10" fill="${colour}"/>` +
    '<path d="M60 0V12" stroke="currentColor" stroke-opacity="0.5"/></svg>'
  );
}
