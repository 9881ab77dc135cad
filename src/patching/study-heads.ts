/** The heads of a study: in how many tasks and corruptions each is important, and how firmly. */
import { settingOf, type Universal } from "./circuit/compare.ts";
import type { Circuits } from "./circuit/document.ts";
import { percent } from "./circuit/format.ts";
import type { Circuit, HeadScore } from "./circuit.ts";
import { escapeText } from "./report/heat-map.ts";
import { paragraph, section, table } from "./report/html.ts";
import { short } from "./report/palette.ts";
import type { ModelStudy } from "./study.ts";

/** Heads of a kind that the table shows. */
const SHOWN = 8;

interface HeadOfKind {
  readonly name: string;
  /** Where it is important. */
  readonly places: readonly { readonly circuit: Circuit; readonly score: HeadScore }[];
}

/** The circuits of all tasks and corruptions that a kind has. */
export const groupOf = (found: Circuits, { kind, direction, token }: Universal): readonly Circuit[] =>
  found.circuits.filter((one) => one.kind === kind && one.direction === direction && one.token === token);

/** Those that are important somewhere, in the most places first. */
function headsOf(circuits: readonly Circuit[]): HeadOfKind[] {
  const names = [...new Set(circuits.flatMap(({ important }) => important))];
  return names
    .map((name) => ({
      name,
      places: circuits.flatMap((circuit) =>
        circuit.scores.filter((score) => score.name === name && score.important).map((score) => ({ circuit, score })),
      ),
    }))
    .sort((a, b) => b.places.length - a.places.length || strengthOf(b) - strengthOf(a));
}

const strengths = ({ places }: HeadOfKind): number[] => places.map(({ score }) => score.strength!);

const stabilities = ({ places }: HeadOfKind): number[] =>
  places.flatMap(({ score }) => (score.stability === null ? [] : [score.stability]));

const strengthOf = (head: HeadOfKind): number =>
  strengths(head).reduce((sum, strength) => sum + strength, 0) / head.places.length;

/** A kind's universal heads in words, or those that come nearest. */
export function findingOf(universal: Universal, found: Circuits): string {
  const circuits = groupOf(found, universal);
  const { kind, heads, across } = universal;
  const all = `each of the ${across.length} pairs of task and corruption`;
  if (heads === null) return `${kind}: only ${across[0]} was swept; that a head is universal takes two.`;
  const ranked = headsOf(circuits);
  if (heads.length > 0) {
    const words = ranked.filter(({ name }) => heads.includes(name)).map((head) => `${head.name} (${firmness(head)})`);
    return `${kind}: ${words.join(", ")} ${heads.length === 1 ? "is" : "are"} important in ${all}.`;
  }
  const most = ranked[0]?.places.length ?? 0;
  const nearest = ranked.filter(({ places }) => places.length === most).map(({ name }) => name);
  const next = most === 0 ? "" : `; ${nearest.slice(0, 4).join(", ")} in ${most} of them`;
  return `${kind}: no head is important in ${all}${next}.`;
}

/** In how many random halves of the samples it is important, where that is least. */
function firmness(head: HeadOfKind): string {
  const shares = stabilities(head);
  return shares.length === 0 ? "one sample" : `in both halves at least ${percent(Math.min(...shares))}`;
}

export function headsSection(models: readonly ModelStudy[]): string {
  const parts = models.flatMap(({ name, circuits }) =>
    "none" in circuits ? [] : [...(models.length > 1 ? [heading(name)] : []), headTable(circuits.found)],
  );
  if (parts.length === 0) return "";
  return section(
    "heads",
    "Heads across tasks and corruptions",
    paragraph(
      `A head is important where its mean absolute score is two standard deviations above the mean of all heads. Strength: from the weakest to the strongest of these places. Halves: in how many random splits of the samples it is important in both halves. The first ${SHOWN} of each kind.`,
      "quiet",
    ),
    ...parts,
  );
}

export const heading = (name: string): string => `<h3>${escapeText(name)}</h3>`;

function headTable(found: Circuits): string {
  const rows = found.universal.flatMap((universal) => {
    const circuits = groupOf(found, universal);
    return headsOf(circuits)
      .slice(0, SHOWN)
      .map((head) => [
        universal.kind,
        { html: `${head.name}${universal.heads?.includes(head.name) ? " <small>universal</small>" : ""}` },
        `${head.places.length} of ${circuits.length}`,
        oneLine(span(strengths(head), short)),
        oneLine(span(stabilities(head), percent)),
        head.places.length === circuits.length
          ? "everywhere"
          : head.places.map(({ circuit }) => settingOf(circuit)).join(", "),
      ]);
  });
  return `${looks}${table(["Kind", "Head", "Important in", "Strength", "Halves", "Where"], rows)}`;
}

const looks = "<style>.line { white-space: nowrap; }</style>";

export const oneLine = (text: string) => ({ html: `<span class="line">${escapeText(text)}</span>` });

export function span(values: readonly number[], show: (value: number) => string): string {
  if (values.length === 0) return "–";
  const [low, high] = [show(Math.min(...values)), show(Math.max(...values))];
  return low === high ? low : `${low} to ${high}`;
}
