/** The defects of a study: what each does to the circuits, in short and place by place. */
import type { CircuitChange } from "./circuit/change.ts";
import { known } from "./circuit/format.ts";
import type { DefectEffect, DefectEffects } from "./defect-effects.ts";
import { escapeText } from "./report/heat-map.ts";
import { type Cell, paragraph, plural, section, table, whole } from "./report/html.ts";
import { short } from "./report/palette.ts";
import type { ModelStudy } from "./study.ts";
import { heading, oneLine, span } from "./study-heads.ts";

/** Names that the short table shows of a list. */
const SHOWN = 6;

const looks = `<style>
.places td { text-align: left; white-space: normal; }
.effects td:first-child, .effects td:nth-child(5), .effects td:nth-child(6) { min-width: 11em; }
@media print { .effects td { min-width: 0 !important; } }
</style>`;

type Compared = Extract<DefectEffect, { circuits: unknown }>;

interface Place {
  readonly task: string;
  readonly change: CircuitChange;
}

export function defectsSection(models: readonly ModelStudy[]): string {
  const parts = models.flatMap(({ name, tasks }) => {
    const found = tasks.flatMap(({ defects }) => (defects ? [defects] : []));
    return found.length === 0 ? [] : [...(models.length > 1 ? [heading(name)] : []), ...modelParts(found)];
  });
  if (parts.length === 0) return "";
  return section("defects", "The original’s defects", ...parts);
}

function modelParts(found: readonly DefectEffects[]): string[] {
  const { kinds, sigma } = found[0]!;
  const samples = found.map((one) => `${plural(one.samples, "sample")} of ${one.task}`).join(", ");
  return [
    paragraph(
      `The same ${samples} swept without defects, with each one alone and with all, in both corruptions: single heads at the answer’s token. A place is one task and corruption; in each, heads of ${sigma} standard deviations above the mean are important. ρ: rank correlation of all heads’ strengths with those of the corrected sweep, from the lowest place to the highest. So few samples show what a defect can do, not how often it does.`,
      "quiet",
    ),
    `<div class="effects">${table(
      ["What the original does", "Kind", "ρ", "Kept", "Lost", "New", "Largest change of a strength", "Rows lost"],
      idsOf(found).flatMap((id) => kinds.flatMap((kind, i) => shortRow(found, id, kind, i === 0))),
    )}</div>`,
    table(["Defect", "What the original does", "Seen here"], otherRows(found)),
    `${looks}<details class="places"><summary>Place by place</summary>${table(
      ["Task", "Corruption", "Kind", "Defect", "Column", "Samples", "ρ", "Kept", "Lost", "New", "Largest change"],
      found.flatMap(({ task, effects }) => effects.filter(isCompared).flatMap((effect) => longRows(task, effect))),
    )}</details>`,
  ];
}

const isCompared = (effect: DefectEffect): effect is Compared => "circuits" in effect;

const idsOf = (found: readonly DefectEffects[]): string[] => [
  ...new Set(found.flatMap(({ effects }) => effects.filter(isCompared).map(({ id }) => id))),
];

const nameOf = (id: string): string => (id === "original" ? "all, column" : id);

const hundredths = (value: number): string => value.toFixed(2).replace("-", "−");

function shortRow(found: readonly DefectEffects[], id: string, kind: string, isFirst: boolean): Cell[][] {
  const effects = found.flatMap(({ task, effects }) =>
    effects.filter(isCompared).flatMap((effect) => (effect.id === id ? [{ task, effect }] : [])),
  );
  const places = effects.flatMap(({ task, effect }) =>
    effect.circuits.flatMap((change): Place[] => (change.kind === kind ? [{ task, change }] : [])),
  );
  if (places.length === 0) return [];
  const { what, column } = effects[0]!.effect;
  const correlations = places.flatMap(({ change }) => change.rank_correlation ?? []);
  const kept = places.reduce((sum, { change }) => sum + change.both.length, 0);
  const lost = places.reduce((sum, { change }) => sum + change.lost.length, 0);
  const rows = places.reduce((sum, { change: { samples } }) => sum + samples.before - samples.after, 0);
  return [
    [
      isFirst ? { html: `<strong>${escapeText(nameOf(id))}</strong> ${escapeText(what)}` } : "",
      ...[kind, oneLine(span(correlations, hundredths)), oneLine(`${kept} of ${kept + lost}`)],
      ...[names(places, "lost"), names(places, "gained"), largest(places, column)],
      rows === 0 ? "0" : `${rows} of ${places.reduce((sum, { change }) => sum + change.samples.before, 0)}`,
    ],
  ];
}

/** Each name once, with the number of places where that is more than one. */
function names(places: readonly Place[], which: "lost" | "gained"): string {
  const all = places.flatMap(({ change }) => change[which]);
  const counted = [...new Set(all)]
    .map((name) => ({ name, count: all.filter((one) => one === name).length }))
    .sort((a, b) => b.count - a.count)
    .map(({ name, count }) => (count > 1 ? `${name}\u00a0×${count}` : name));
  const more = counted.length - SHOWN;
  return counted.length === 0 ? "–" : `${counted.slice(0, SHOWN).join(", ")}${more > 0 ? `, ${more} more` : ""}`;
}

function largest(places: readonly Place[], column: string): string {
  const size = ({ change: { largest } }: Place) => (largest ? Math.abs(largest.after - largest.before) : -1);
  const [most] = [...places].sort((a, b) => size(b) - size(a));
  if (!most?.change.largest) return places.some(({ change }) => change.largest === null) ? "none" : "–";
  return `${changeWords(most.change, column)}, ${most.task} ${most.change.mode}`;
}

function changeWords({ largest }: CircuitChange, column: string): string {
  if (!largest) return largest === null ? "none" : "–";
  const { head, before, after } = largest;
  return `${head} ${short(before)} → ${short(after)}${column === "logit_diff" ? " logits" : ""}`;
}

function longRows(task: string, { id, column, circuits }: Compared): Cell[][] {
  return circuits.map((change) => {
    const { mode, kind, samples, left_out, rank_correlation, both, lost, gained } = change;
    const reasons = Object.entries(left_out).map(([reason, count]) => `; ${count}: ${reason}`);
    return [
      ...[task, mode, kind, nameOf(id), column],
      `${samples.after === samples.before ? samples.after : `${samples.after} of ${samples.before}`}${reasons.join("")}`,
      known(rank_correlation, hundredths),
      ...[both, lost, gained].map((list) => list.join(", ") || "–"),
      changeWords(change, column),
    ];
  });
}

/** Defects that are not seen in a circuit of these samples, each once for all tasks, in the order of their numbers. */
function otherRows(found: readonly DefectEffects[]): Cell[][] {
  const others = found.flatMap(({ task, effects }) =>
    effects.filter((effect) => !isCompared(effect)).map((effect) => ({ task, effect })),
  );
  return [...new Set(others.map(({ effect }) => effect.id))]
    .sort((a, b) => numberOf(a) - numberOf(b))
    .map((id) => {
      const own = others.filter(({ effect }) => effect.id === id);
      return [id, own[0]!.effect.what, [...new Set(own.flatMap(seen))].join("; ") || elsewhere(own[0]!.effect)];
    });
}

const numberOf = (id: string): number => Number(id.match(/\d+/)![0]);

function seen({ task, effect }: { readonly task: string; readonly effect: DefectEffect }): string[] {
  if ("note" in effect) return [effect.note];
  if (!("made" in effect)) return [];
  const { step, rows, others } = effect.made;
  return [`${step} makes ${plural(rows, "row")} of ${task}, ${whole(others)} of them not without it`];
}

const elsewhere = (effect: DefectEffect): string => ("only" in effect ? `concerns ${effect.only} only` : "");
