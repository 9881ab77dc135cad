/** The tables of circuits.html: the important heads, and how firm the sets are. */

import { escapeText } from "../report/heat-map.ts";
import { paragraph, plural, section, table, whole } from "../report/html.ts";
import { short } from "../report/palette.ts";
import { signed } from "../report/summary.ts";
import { type Circuits, universalOf } from "./document.ts";
import { known, marksOf, percent, span } from "./format.ts";
import { strengthName } from "./map.ts";
import { placeColumns } from "./sections.ts";

export function headsSection(found: Circuits): string {
  const places = placeColumns(found.circuits);
  const rows = found.circuits.flatMap((circuit) => {
    const everywhere = universalOf(found.universal, circuit);
    return circuit.scores
      .filter(({ important }) => important)
      .sort((a, b) => b.strength! - a.strength!)
      .map((one) => [
        withSmall(one.name, marksOf(one, everywhere).join(", ")),
        ...places.of(circuit),
        withSmall(known(one.strength, short), span(one.strength_interval, short)),
        withSmall(known(one.mean, signed), span(one.interval, signed)),
        known(one.q, short),
        known(one.stability, percent),
        whole(one.n),
      ]);
  });
  return section(
    "heads",
    "Important heads",
    paragraph(
      `Strength is the ${strengthName(found.column)}, mean keeps the sign; in brackets 95 % bootstrap intervals over samples. q tests the mean against 0 with random signs, corrected for the number of heads (Benjamini and Hochberg). Halves: in how many of ${whole(found.splits)} random splits the head is important in both halves.`,
      "quiet",
    ),
    rows.length === 0
      ? paragraph("None.", "quiet")
      : table(["Head", ...places.names, "Strength", "Mean", "q", "Halves", "n"], rows, places.names.length + 1),
  );
}

const withSmall = (value: string, more: string) => ({
  html: `<span class="of">${escapeText(value)} <small>${escapeText(more)}</small></span>`,
});

export function sensitivitySection({ circuits }: Circuits): string {
  const places = placeColumns(circuits);
  const sigmas = circuits[0]!.sensitivity.map(({ sigma }) => sigma);
  const rows = circuits.map((circuit) => [
    ...places.of(circuit),
    ...circuit.sensitivity.map(({ important }) =>
      important.length > 8 ? `${important.length} heads` : important.join(" ") || "none",
    ),
  ]);
  const stability = circuits.map((circuit) => [
    ...places.of(circuit),
    known(circuit.rank_correlation, short),
    known(circuit.threshold, short),
    ...[circuit.samples, circuit.missing].map(whole),
    Object.entries(circuit.left_out)
      .map(([reason, count]) => `${plural(count, "sample")}: ${reason}`)
      .join("; ") || "none",
  ]);
  return section(
    "sensitivity",
    "How firm the sets are",
    "<h3>Other thresholds</h3>",
    table([...places.names, ...sigmas.map((sigma) => `${sigma} sigma`)], rows),
    "<h3>Halves of the samples, and what is missing</h3>",
    paragraph(
      "Rank correlation: Spearman’s, of the heads’ strengths in two random halves of the samples; 1 is the same order in both.",
      "quiet",
    ),
    table(
      [...places.names, "Rank correlation", "Threshold", "Samples", "Scores missing", "Samples left out"],
      stability,
    ),
  );
}
