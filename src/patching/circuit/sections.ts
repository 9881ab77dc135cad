/** The beginning and the end of circuits.html. */
import type { Circuit } from "../circuit.ts";
import { escapeText } from "../report/heat-map.ts";
import { paragraph, plural, section, table, whole } from "../report/html.ts";
import { short } from "../report/palette.ts";
import { settingOf } from "./compare.ts";
import type { Circuits } from "./document.ts";

/** Columns that say which circuit is meant; what is the same in all of them is left out. */
export function placeColumns(circuits: readonly Circuit[]) {
  const fields = [
    ["Task", settingOf],
    ["Kind", ({ kind }: Circuit) => kind],
    ["Direction", ({ direction }: Circuit) => direction],
    ["Token", ({ token }: Circuit) => token],
  ] as const;
  const telling = fields.filter(([name, of]) => name === "Task" || new Set(circuits.map(of)).size > 1);
  return { names: telling.map(([name]) => name), of: (circuit: Circuit) => telling.map(([, of]) => of(circuit)) };
}

export function universalSection(found: Circuits): string {
  const { universal, circuits, model, without } = found;
  const lead = universal.map(
    ({ kind, direction, across, heads }) =>
      `${kind}, ${direction}: ` +
      (heads === null
        ? `only ${across[0]} was swept, so no head can be called universal; that needs two tasks or corruptions.`
        : `${heads.length === 0 ? "no head is" : `${heads.join(", ")} ${heads.length === 1 ? "is" : "are"}`} important in all of ${across.join(", ")}.`),
  );
  const some = universal.filter(({ heads }) => heads !== null);
  const few = Math.min(...circuits.map(({ samples }) => samples));
  return section(
    "universal",
    "Universal heads",
    ...lead.map((words) => paragraph(words, "lead")),
    few < 30
      ? paragraph(`The smallest set has ${plural(few, "sample")}: its intervals and tests are rough.`, "note")
      : "",
    model.name.endsWith("-mini")
      ? paragraph(
          `${model.name} is a miniature that was trained to show how the method works. What its heads do is no evidence about the real model.`,
          "note",
        )
      : "",
    ...published(found),
    ...without.map(({ task, mode, kind, direction, left_out }) =>
      paragraph(
        `${task} ${mode}, ${kind}, ${direction} has no usable sample: ${Object.entries(left_out)
          .map(([reason, count]) => `${plural(count, "sample")}: ${reason}`)
          .join("; ")}.`,
        "note",
      ),
    ),
    some.length === 0
      ? ""
      : table(
          ["Kind", "Direction", ...some[0]!.sensitivity.map(({ sigma }) => `${sigma} sigma`)],
          some.map(({ kind, direction, sensitivity }) => [
            kind,
            direction,
            ...sensitivity.map(({ heads }) =>
              heads!.length > 8 ? `${heads!.length} heads` : heads!.join(" ") || "none",
            ),
          ]),
        ),
  );
}

function published({ circuits }: Circuits): string[] {
  const models = new Map(circuits.flatMap(({ published }) => (published ? [[published.model, published.heads]] : [])));
  return [...models].map(([model, heads]) =>
    paragraph(
      `For comparison, not a result of these runs: ${heads.join(", ")} were published as the universal heads of ${model}.`,
      "quiet",
    ),
  );
}

/** Denoising and noising side by side. */
export function waysSection({ two_ways }: Circuits): string {
  if (two_ways.length === 0) return "";
  const names = (heads: readonly string[]) => heads.join(" ") || "none";
  return section(
    "ways",
    "Denoising and noising",
    paragraph(
      "Denoising puts clean values into the corrupt run and shows what suffices; noising puts corrupt values into the clean run and shows what is needed. Scores of noising count from the clean run.",
      "quiet",
    ),
    table(
      ["Task", "Corruption", "Kind", "Important in both", "Denoising only", "Noising only", "Rank correlation"],
      two_ways.map(({ task, mode, kind, both, denoising_only, noising_only, rank_correlation }) => [
        ...[task, mode, kind, names(both), names(denoising_only), names(noising_only)],
        rank_correlation === null ? "–" : short(rank_correlation),
      ]),
      6,
    ),
  );
}

export function settingsSection(found: Circuits): string {
  const { model, runs, compat, column, sigma } = found;
  const hash = (digits: string) => `<code class="hash">${escapeText(digits)}</code>`;
  const entries: (readonly [string, string])[] = [
    ["Rule", `mean of |${column}| over samples at least the heads’ mean + ${sigma} population standard deviations`],
    [
      "Missing scores",
      compat === "upstream" ? "count as 0, as do those that are not finite (D9)" : "are left out and counted",
    ],
    ["Intervals", `${whole(found.bootstrap)} bootstrap resamples of the samples, 2.5th to 97.5th percentile`],
    [
      "Tests",
      `${whole(found.flips)} random choices of signs, or all of them where these are fewer; Benjamini and Hochberg`,
    ],
    ["Splits", `${whole(found.splits)} random halves`],
    ["Seed", String(found.seed)],
    ["Model", escapeText(model.name)],
    ["Weights sha256", hash(model.weights_sha256)],
    ["Compatibility", compat === "upstream" ? "upstream: the original’s numbers" : "corrected"],
    ...runs.map((run): [string, string] => [
      "Run",
      `${escapeText(`${run.name}: ${run.tasks.join(", ")}, ${run.modes.join(", ")}, ${run.direction}, ${run.compat}, data`)} ${hash(run.data_sha256)}`,
    ]),
    ["Made with", escapeText(`notice-webgpu ${found.package_version}`)],
  ];
  return section(
    "settings",
    "Settings",
    `<dl>${entries.map(([name, html]) => `<div><dt>${name}</dt><dd>${html}</dd></div>`).join("\n")}</dl>`,
  );
}
