/** index.html of a study: what was found in all of its tasks, and where the rest is told. It loads nothing. */
import type { Circuits } from "./circuit/document.ts";
import { escapeText } from "./report/heat-map.ts";
import { paragraph, plural, section, table, whole } from "./report/html.ts";
import { page } from "./report/page.ts";
import type { ModelStudy, StudySettings, TaskStudy } from "./study.ts";
import { settingsSection } from "./study-about.ts";
import { defectsSection } from "./study-defects.ts";
import { findingOf, headsSection } from "./study-heads.ts";
import { mapsSection } from "./study-maps.ts";

export function studyPage(models: readonly ModelStudy[], settings: StudySettings): string {
  const tasks = [...new Set(models.flatMap((model) => model.tasks.map(({ task }) => task)))];
  const subtitle = `${tasks.join(", ")} in image and text corruption, ${settings.compat}, seed ${settings.seed}`;
  return page(`Study of ${models.map(({ name }) => name).join(", ")}`, subtitle, [
    findingsSection(models),
    headsSection(models),
    mapsSection(models),
    defectsSection(models),
    dataSection(models),
    corruptionSection(models),
    settingsSection(models, settings),
  ]);
}

function findingsSection(models: readonly ModelStudy[]): string {
  return section("findings", "Findings", ...models.flatMap(findings));
}

function findings(model: ModelStudy): string[] {
  const { name, tasks, circuits } = model;
  const sweeps = tasks.flatMap(({ sweep }) => (sweep ? [sweep] : []));
  const total = (of: (sweep: (typeof sweeps)[number]) => number) => sweeps.reduce((sum, sweep) => sum + of(sweep), 0);
  const answers = tasks.flatMap(({ evaluate }) => (evaluate ? [evaluate.all] : []));
  const [right, answered] = [answers.map((all) => all.right), answers.map((all) => all.answered)].map((counts) =>
    counts.reduce((a, b) => a + b, 0),
  ) as [number, number];
  const failed = total((sweep) => sweep.failed);
  const wrong = total(({ checks }) => checks.failed);
  const checked = total(({ checks }) => checks.passed) + wrong;
  return [
    paragraph(
      `${name} answers ${whole(right)} of ${plural(answered, "question")} rightly. ${plural(
        total(({ samples }) => samples),
        "sample",
      )} of these were swept: ${plural(
        total((sweep) => sweep.sweeps),
        "sweep",
      )}, ${plural(
        total(({ cells }) => cells),
        "cell",
      )}, ${failed === 0 ? "none failed" : `${failed} failed`}.`,
      "lead",
    ),
    ...("found" in circuits
      ? circuits.found.universal.map((one) => paragraph(findingOf(one, circuits.found), "lead"))
      : []),
    wrong === 0
      ? paragraph(`All ${plural(checked, "self-check")} passed.`)
      : paragraph(
          `${whole(wrong)} of ${plural(checked, "self-check")} failed: do not trust these numbers before the cause is found.`,
          "alarm",
        ),
    ...("found" in circuits
      ? [
          roughness(circuits.found),
          linkTo(`${circuits.folder}/circuits.html`, `Circuits of ${name}: intervals, tests, other thresholds`),
        ]
      : [paragraph(circuits.none, "note")]),
    name.endsWith("-mini")
      ? paragraph(
          `${name} is a miniature that was trained to show how the method works. What its heads do is no evidence about the real model.`,
          "note",
        )
      : "",
  ];
}

function roughness({ circuits }: Circuits): string {
  const few = Math.min(...circuits.map(({ samples }) => samples));
  return few < 30 ? paragraph(`The smallest set has ${plural(few, "sample")}: its numbers are rough.`, "note") : "";
}

const href = (path: string): string => escapeText(path.split("/").map(encodeURIComponent).join("/"));

const linkTo = (path: string, text: string): string => `<p><a href="${href(path)}">${escapeText(text)}</a></p>`;

/** Rows from the original's files to the sweep. */
function dataSection(models: readonly ModelStudy[]): string {
  const all = models.flatMap(({ name, tasks }) => tasks.map((study) => ({ name, study })));
  const rows = all.map(({ name, study }) => {
    const { task, prepare, evaluate, select, sweep, folder } = study;
    const short = Object.values(select?.groups ?? {}).filter((group) => group.short > 0).length;
    return [
      { html: `<a href="${href(`${folder}/run/report.html`)}">${escapeText(task)}</a>` },
      ...(models.length > 1 ? [name] : []),
      ...[prepare.rows, sumOf(prepare.drops), evaluate?.all.answered ?? 0, evaluate?.all.right ?? 0].map(whole),
      ...[select?.rows ?? 0, short, sweep?.sweeps ?? 0, sweep?.failed ?? 0].map(whole),
    ];
  });
  const head = ["Report", ...(models.length > 1 ? ["Model"] : [])];
  return section(
    "data",
    "Samples",
    paragraph(
      "Only questions that the model answers rightly are swept. A group is short where fewer of its rows were right than were asked for.",
      "quiet",
    ),
    table(
      [...head, "Rows", "Left out", "Answered", "Right", "Chosen", "Short groups", "Sweeps", "Failed"],
      rows,
      head.length,
    ),
    `<details><summary>Groups</summary>${groupTable(all)}</details>`,
  );
}

function groupTable(all: readonly { readonly name: string; readonly study: TaskStudy }[]): string {
  const rows = all.flatMap(({ name, study: { task, select } }) =>
    Object.entries(select?.groups ?? {}).map(([group, { answered, right, accuracy, chosen, short }]) => [
      ...[name, task, group, whole(answered), whole(right), `${(100 * accuracy).toFixed(1)} %`],
      ...[chosen, short].map(whole),
    ]),
  );
  return table(["Model", "Task", "Group", "Answered", "Right", "Accuracy", "Chosen", "Short"], rows, 3);
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** What the corruption does to the answers. */
function corruptionSection(models: readonly ModelStudy[]): string {
  const rows = models.flatMap(({ name, tasks }) =>
    tasks.flatMap(({ sweep }) =>
      (sweep?.settings ?? []).map(({ task, mode, samples, clean, corrupt }) => [
        ...(models.length > 1 ? [name] : []),
        ...[task, mode, whole(samples)],
        ...[clean.probability, corrupt.probability, clean.difference, corrupt.difference].map((sum) => sum / samples),
      ]),
    ),
  );
  const head = [...(models.length > 1 ? ["Model"] : []), "Task", "Corruption"];
  return section(
    "corruption",
    "What the corruption does",
    paragraph(
      "Means over samples, unpatched. P is the probability of the correct answer, LD the logit difference, correct minus incorrect answer.",
      "quiet",
    ),
    table([...head, "Samples", "P clean", "P corrupt", "LD clean", "LD corrupt"], rows, head.length),
  );
}
