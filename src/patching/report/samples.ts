/** Some samples with their pictures, and all that failed. */
import type { FailedRecord } from "../record.ts";
import type { Pictures } from "../store.ts";
import { each, nameBefore } from "./beside.ts";
import { difference, type Facts, probability } from "./facts.ts";
import { escapeText } from "./heat-map.ts";
import { paragraph, plural, section, table } from "./html.ts";
import { lensDetails } from "./lens.ts";
import type { Reported, Shown } from "./reported.ts";
import { thumbnail } from "./thumbnail.ts";

/** A sample in one run. */
interface InRun {
  /** Of the run, where there are several. */
  readonly name: string;
  readonly pictures: Pictures;
  readonly modes: Shown[];
}

const mostShown = 12;
const mostFailures = 100;

/** A card for each sample; runs of the same data file share it. */
export async function samplesSection(runs: readonly Reported[]): Promise<string> {
  const found = new Map<string, Map<Reported, InRun>>();
  for (const run of runs) {
    for (const one of run.samples) {
      const key = `${run.settings.data.sha256} ${one.sample} ${one.task}`;
      const card = found.get(key) ?? new Map<Reported, InRun>();
      found.set(key, card);
      const own = card.get(run) ?? { name: nameBefore(runs, run, ""), pictures: run.pictures, modes: [] };
      card.set(run, own);
      own.modes.push(one);
    }
  }
  const cards = [...found.values()].map((card) => [...card.values()]);
  const count = Math.min(mostShown, cards.length);
  const shown = Array.from({ length: count }, (_, i) => cards[Math.floor(((i + 0.5) * cards.length) / count)]!);
  if (count === 0) return section("samples", "Samples", paragraph("No sample was finished.", "quiet"));
  const html: string[] = [];
  for (const card of shown) html.push(await sampleCard(card));
  const said =
    count === cards.length
      ? `All ${plural(count, "sample")}.`
      : `${count} of ${plural(cards.length, "sample")}, evenly spread.`;
  return section("samples", "Samples", paragraph(said, "quiet"), `<div class="cards">${html.join("\n")}</div>`);
}

async function sampleCard(runs: readonly InRun[]): Promise<string> {
  const { pictures, modes } = runs[0]!;
  const one = modes[0]!;
  const text = runs.flatMap(({ modes }) => modes).find(({ mode }) => mode === "text");
  const corrupt = text ? prompt("Corrupt prompt", text.corrupt_prompt, one) : "";
  return [
    `<article class="card"><h3>Sample ${one.sample} <small>${escapeText(`${one.task}, ${one.group}, ${one.correct_first ? "Correct First" : "Incorrect First"}`)}</small></h3>`,
    `<div class="pair">${await picture(pictures, one.clean_image_path, "clean")}${await picture(pictures, one.corrupt_image_path, "corrupt")}</div>`,
    prompt("Clean prompt", one.clean_prompt, one),
    corrupt,
    `<p class="prompt"><span>Answers</span> <b class="right">${escapeText(one.correct_answer)}</b>, not <b class="wrong">${escapeText(one.incorrect_answer)}</b></p>`,
    ...runs.map(logitTable),
    ...runs.map(({ name, modes }) => lensDetails(modes, name)),
    "</article>",
  ].join("\n");
}

function logitTable({ name, modes }: InRun): string {
  const rows = modes.map(({ mode, clean, corrupt }) => [
    mode,
    ...[clean, corrupt].map(probability),
    ...[clean, corrupt].map(difference),
  ]);
  return table([name, "P clean", "P corrupt", "LD clean", "LD corrupt"], rows, 1);
}

/** A prompt with the two answers marked. */
function prompt(name: string, text: string, { correct_answer, incorrect_answer }: Shown): string {
  const words = text.split(/(\s+|[?.,])/).map((word) => {
    const lower = word.toLowerCase();
    const kind =
      lower === correct_answer.toLowerCase() ? "right" : lower === incorrect_answer.toLowerCase() ? "wrong" : null;
    return kind ? `<b class="${kind}">${escapeText(word)}</b>` : escapeText(word);
  });
  return `<p class="prompt"><span>${name}</span> ${words.join("")}</p>`;
}

async function picture(pictures: Pictures, path: string, name: string): Promise<string> {
  const address = await thumbnail(pictures, path);
  const shown = address ? `<img src="${address}" alt="${name} picture">` : `<div class="gone">picture not found</div>`;
  return `<figure>${shown}<figcaption>${name} <small>${escapeText(path)}</small></figcaption></figure>`;
}

/** Samples that could not be run, with the reasons. */
export const failuresSection = (runs: readonly Reported[]): string =>
  each("failures", "Failed samples", runs, ({ facts }) => failedOf(facts)) +
  each("dropped", "Rows that the original loses", runs, ({ facts }) => droppedOf(facts));

function droppedOf({ dropped }: Facts): string {
  if (dropped.length === 0) return "";
  const rows = dropped
    .slice(0, mostFailures)
    .map(({ sample, task, mode, kind, reason }) => [String(sample), task, mode, kind, reason]);
  const more = dropped.length > mostFailures ? ` The first ${mostFailures}; results.jsonl holds all.` : "";
  const said = `The original throws for ${plural(dropped.length, "table")} of single heads and leaves the row out; so do the numbers above.${more}`;
  const head = ["Sample", "Task", "Corruption", "Kind", "Reason"];
  return paragraph(said, "quiet") + table(head, rows);
}

function failedOf({ failed }: Facts): string {
  if (failed.length === 0) return "";
  const rows = failed
    .slice(0, mostFailures)
    .map(({ sample, task, mode, failed }: FailedRecord) => [String(sample), task, mode, failed]);
  const more =
    failed.length > mostFailures ? `The first ${mostFailures} of ${failed.length}; results.jsonl holds all.` : "";
  const said = `${plural(failed.length, "sweep")} could not be run and ${failed.length === 1 ? "is" : "are"} in no number above. The same command tries again. ${more}`;
  return paragraph(said.trim(), "quiet") + table(["Sample", "Task", "Corruption", "Reason"], rows);
}
