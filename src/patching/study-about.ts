/** The end of a study's page: all that decides its numbers. */
import { version } from "../version.ts";
import { adapterText } from "./record.ts";
import { escapeText } from "./report/heat-map.ts";
import { section } from "./report/html.ts";
import type { ModelStudy, StudySettings, TaskStudy } from "./study.ts";

type Entry = readonly [name: string, html: string];

export function settingsSection(models: readonly ModelStudy[], settings: StudySettings): string {
  const entries: Entry[] = [
    ["Seed", String(settings.seed)],
    ["Compatibility", settings.compat === "upstream" ? "upstream: the original’s numbers" : "corrected"],
    ["Exceptions", escapeText(settings.except.join(", ") || "none")],
    ...models.flatMap(modelEntries),
    ["Made with", escapeText(`notice-webgpu ${version()}`)],
  ];
  return section(
    "settings",
    "Settings",
    `<dl>${entries.map(([name, html]) => `<div><dt>${name}</dt><dd>${html}</dd></div>`).join("\n")}</dl>`,
  );
}

const hash = (digits: string): string => `<code class="hash">${escapeText(digits)}</code>`;

function modelEntries({ name, weights_sha256, config_sha256, tasks }: ModelStudy): Entry[] {
  const runs = tasks.flatMap(({ settings }) => (settings ? [settings] : []));
  const all = (of: (run: (typeof runs)[number]) => string) => escapeText([...new Set(runs.map(of))].join("; "));
  return [
    ["Model", escapeText(name)],
    ["Weights sha256", hash(weights_sha256)],
    ["Config sha256", hash(config_sha256)],
    ["Weights stored", all(({ model }) => (model.quantize ? `in ${model.quantize}` : "as in the checkpoint"))],
    ["Adapter", all(({ adapter }) => adapterText(adapter))],
    ["Kinds", all(({ kinds }) => kinds.join(", "))],
    [
      "Tokens",
      all(({ positions, head_positions }) => `${positions.join(", ")}; single heads: ${head_positions.join(", ")}`),
    ],
    ["Direction", all(({ direction }) => direction)],
    ["Defects of the sweep", all(({ defects }) => statesText(defects))],
    ...tasks.flatMap(taskEntries),
  ];
}

const statesText = (states: Readonly<Record<string, string>>): string =>
  Object.entries(states)
    .sort(([a], [b]) => Number(a.slice(1)) - Number(b.slice(1)))
    .map(([id, state]) => `${id} ${state}`)
    .join(", ");

function taskEntries({ task, prepare, select, files }: TaskStudy): Entry[] {
  const named = (file: string, what: string) => {
    const digits = files[file];
    return digits === undefined ? [] : [`${what} ${hash(digits)}`];
  };
  const parts = [
    ...(select ? [`${select.per_group} rows of a group`] : []),
    escapeText(statesText({ ...prepare.defects, ...select?.defects })),
    ...named("prepared.csv", "prepared"),
    ...named("answered.csv", "answered"),
    ...named("chosen.csv", "chosen"),
    ...named("run/results.jsonl", "results"),
  ];
  return [[escapeText(task), parts.join("<br>")]];
}
