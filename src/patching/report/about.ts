/** The end of the report: what decides the numbers, and what was checked and counted. */
import { adapterText, type RunSettings } from "../record.ts";
import { each } from "./beside.ts";
import { type Facts, inOrder } from "./facts.ts";
import { escapeText } from "./heat-map.ts";
import { paragraph, table, whole } from "./html.ts";
import type { Reported } from "./reported.ts";

export const checksSection = (runs: readonly Reported[]): string =>
  each(
    "checks",
    "Checks and counts",
    runs,
    ({ facts }) => checksOf(facts),
    paragraph(
      "Self-checks compare bits: a run patched with its own values must not change, and one patched with everything must become the other run.",
      "quiet",
    ),
  );

function checksOf({ checks, failedChecks, counts }: Facts): string {
  const rows = inOrder(checks).map(({ name, passed, failed }) => [
    name,
    whole(passed),
    failed === 0 ? "0" : { html: `<b class="bad">${failed}</b>` },
  ]);
  const failures = failedChecks
    .slice(0, 20)
    .map(({ sample, task, mode, name, detail }) => [String(sample), task, mode, name, detail]);
  const cells = inOrder(counts).map(({ task, mode, kind, cells, missing, unchanged, noEffect, notFinite }) => [
    task,
    mode,
    kind,
    ...[cells, missing, unchanged, noEffect, notFinite].map(whole),
  ]);
  const checked =
    rows.length === 0 ? paragraph("None were recorded.", "quiet") : table(["Check", "Passed", "Failed"], rows, 1);
  const failed =
    failures.length === 0
      ? ""
      : `<h3>Failed checks</h3>${table(["Sample", "Task", "Corruption", "Check", "What was got"], failures)}`;
  return [
    checked,
    failed,
    "<h3>Cells</h3>",
    paragraph(
      "Not run: a token without a counterpart in the other prompt. Unchanged: the replacement had the same values. No effect: the two runs differ too little for the normalised effect.",
      "quiet",
    ),
    table(["Task", "Corruption", "Kind", "Cells", "Not run", "Unchanged", "No effect", "Effect not finite"], cells, 3),
  ].join("\n");
}

export const settingsSection = (runs: readonly Reported[]): string =>
  each("settings", "Settings", runs, ({ settings }) => settingsOf(settings));

function settingsOf(settings: RunSettings): string {
  const { model, data, adapter, shard, heads, defects } = settings;
  const hash = (digits: string) => `<code class="hash">${escapeText(digits)}</code>`;
  const entries: (readonly [string, string])[] = [
    ["Model", escapeText(model.name)],
    ["Weights sha256", hash(model.weights_sha256)],
    ["Config sha256", hash(model.config_sha256)],
    ["Data", `${escapeText(data.path.split(/[\\/]/).at(-1)!)}, ${whole(data.samples)} samples`],
    ["Data sha256", hash(data.sha256)],
    ["Adapter", escapeText(adapterText(adapter))],
    ["Tasks", escapeText(settings.tasks.join(", "))],
    ["Corruption", escapeText(settings.modes.join(", "))],
    ["Kinds", escapeText(settings.kinds.join(", "))],
    ["Heads", typeof heads === "string" ? heads : heads.join(", ")],
    [
      "Direction",
      settings.direction === "denoising"
        ? "denoising: clean values into the corrupt run"
        : "noising: corrupt values into the clean run",
    ],
    ["Compatibility", settings.compat === "upstream" ? "upstream: the original’s numbers" : "corrected"],
    [
      "Defects",
      escapeText(
        Object.entries(defects)
          .map(([id, state]) => `${id} ${state}`)
          .join(", ") || "none concern this run",
      ),
    ],
    ["Smallest denominator", `${settings.min_denominator} (below it a sample has no normalised effect)`],
    ...(shard ? [["Shard", `${shard[0]} of ${shard[1]}`] as const] : []),
    ["Made with", escapeText(`notice-webgpu ${settings.package_version}`)],
  ];
  return `<dl>${entries.map(([name, html]) => `<div><dt>${name}</dt><dd>${html}</dd></div>`).join("\n")}</dl>`;
}
