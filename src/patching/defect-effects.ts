/** What each of the original's defects (NOTICE.md 12, 13) does, and how its effect on a circuit is seen. */
import type { prepareDefects, selectDefects } from "../data/defects.ts";
import { type Task, tasks } from "../data/sample.ts";
import type { CircuitChange } from "./circuit/change.ts";
import type { Mode } from "./record.ts";
import type { Column } from "./report/grid.ts";

/** defects.json of a task. */
export interface DefectEffects {
  readonly format: 1;
  readonly package_version: string;
  readonly model: string;
  readonly task: Task;
  readonly modes: readonly Mode[];
  readonly kinds: readonly string[];
  /** How many samples were swept in each way, and their rows in chosen.csv. */
  readonly samples: number;
  readonly rows: readonly number[];
  /** Standard deviations above the mean from which on a head is important. */
  readonly sigma: number;
  readonly effects: readonly DefectEffect[];
}

/** `id`: a defect; `column`, `all` and `original` are no single one. */
export type DefectEffect = { readonly id: string; readonly what: string } & (
  | { readonly column: Column; readonly circuits: readonly CircuitChange[] }
  | { readonly made: DataEffect }
  | { readonly note: string }
  | { readonly only: Task }
);

/** The rows that a step makes with a defect, and how many of these it does not make without. */
export interface DataEffect {
  readonly step: "prepare" | "select";
  readonly rows: number;
  readonly others: number;
}

/** A circuit of one sweep beside that of the corrected one. */
export interface Comparison {
  readonly id: string;
  /** Which sweep it is made of. */
  readonly sweep: string;
  readonly column: Column;
  /** Of the corrected circuit. */
  readonly before: Column;
  /** Scores that are missing or not finite count as 0. */
  readonly zeros?: boolean;
}

/** The sweeps that show what defects do to heads: each alone, and all of them. */
export const sweepsFor = (defects: readonly string[]): readonly string[] => [
  "corrected",
  ...defects.filter((id) => !(id in notOfHeads)),
  "upstream",
];

export const comparisonsOf = (sweeps: readonly string[]): Comparison[] => [
  ...sweeps
    .filter((sweep) => sweep !== "corrected" && sweep !== "upstream")
    .map((id): Comparison => {
      const column = id === "D9" ? "effect" : "logit_diff";
      return { id, sweep: id, column, before: column, ...(id === "D9" && { zeros: true }) };
    }),
  { id: "column", sweep: "corrected", column: "p_patched", before: "logit_diff" },
  { id: "all", sweep: "upstream", column: "logit_diff", before: "logit_diff" },
  { id: "original", sweep: "upstream", column: "p_patched", before: "logit_diff" },
];

/** Defects of a sweep that leave single heads as they are. */
const notOfHeads: Readonly<Record<string, string>> = {
  D5: "a label: the same numbers",
  D6: "whole sites only: single heads are copied from the same place in both",
};

const words: Readonly<Record<string, string>> = {
  D4: "takes the row of the token before the answer",
  D5: "calls the output of a whole layer its MLP",
  D6: "copies the residual stream into MLP and attention",
  D7: "patches heads 8 tokens behind the answer; loses the row where there is none",
  D8: "aligns tokens by their index; BLIP: attends to padding; LLaVA: loses the row where the corrupt prompt is shorter",
  D9: "divides by a difference of 0 (column effect); not finite counts as 0",
  D10: "puts scores beside the wrong rows once a row is lost",
  D11: "takes a short group twice; takes prompts of other rows",
  D12: "selects the same direction twice",
  D13: "keeps one direction of a prompt",
  D14: "lets the negative object be drawn",
  D15: "takes the question mark away with the last word",
  D16: "may give both answers the same word",
  D18: "keeps only prompts with the first row’s answer",
  D22: "puts -ing into the inside of other words",
  D24: "compares a capitalised answer with one that is not",
  column: "looks at the probability of the answer (p_patched), not at the logit difference",
  all: "all defects of the sweep together",
  original: "all defects of the sweep together, and p_patched",
};

export const wordsFor = (id: string): string => words[id] ?? "";

/** Those of the data, by the task and the step that have them. */
export const dataDefectsOf: Readonly<
  Record<
    Task,
    {
      readonly prepare: readonly (typeof prepareDefects)[number][];
      readonly select: readonly (typeof selectDefects)[number][];
    }
  >
> = {
  facial_expressions: { prepare: [], select: [] },
  mit_states: { prepare: [], select: ["D18"] },
  svo_probes: { prepare: ["D13", "D14", "D15", "D16"], select: ["D11", "D12", "D22"] },
};

/** What there is to say of the rest: `swept` are the defects that the model's sweep has. */
export function notesOn(swept: readonly string[], task: Task): DefectEffect[] {
  const note = (id: string, text: string): DefectEffect => ({ id, what: wordsFor(id), note: text });
  return [
    ...swept.flatMap((id) => (notOfHeads[id] === undefined ? [] : [note(id, notOfHeads[id])])),
    note("D10", "every record carries its row here; circuits --compat upstream refuses where a row was lost"),
    ...tasks
      .filter((other) => other !== task)
      .flatMap((only) =>
        Object.values(dataDefectsOf[only]).flatMap((ids) => ids.map((id) => ({ id, what: wordsFor(id), only }))),
      ),
    {
      id: "D1–D3, D17, D19–D21, D23",
      what: "stops, or reads other names; a picture that cannot be read becomes black",
      note: "no number to compare with: --compat upstream runs these repaired",
    },
  ];
}
