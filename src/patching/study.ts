/** What the steps of a study found, as far as its page and its commands need it. */
import type { DefectStates, prepareDefects, selectDefects } from "../data/defects.ts";
import type { EvaluateManifest } from "../data/evaluate.ts";
import type { SelectManifest } from "../data/select.ts";
import type { Circuits } from "./circuit/document.ts";
import type { DefectEffects } from "./defect-effects.ts";
import type { Compat, RunSettings, Task } from "./record.ts";
import type { SweepFacts } from "./study-facts.ts";

export interface Prepared {
  readonly rows: number;
  readonly pictures: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly defects: DefectStates<typeof prepareDefects>;
}

export interface Evaluated extends Pick<EvaluateManifest, "rows" | "groups" | "all"> {
  /** Rows without an answer. */
  readonly failed: number;
}

export type Selected = Pick<SelectManifest, "rows" | "groups" | "drops"> & {
  readonly per_group: number;
  readonly defects: DefectStates<typeof selectDefects>;
};

/** One task with one model; a step that was not asked for is absent. */
export interface TaskStudy {
  readonly task: Task;
  /** Below the study's folder, with slashes. */
  readonly folder: string;
  readonly prepare: Prepared;
  readonly evaluate?: Evaluated;
  readonly select?: Selected;
  readonly sweep?: SweepFacts;
  readonly settings?: RunSettings;
  readonly defects?: DefectEffects;
  /** sha256 of what the steps made, by file. */
  readonly files: Readonly<Record<string, string>>;
}

export interface ModelStudy {
  readonly name: string;
  readonly config_sha256: string;
  readonly weights_sha256: string;
  readonly tasks: readonly TaskStudy[];
  /** Where circuits.html lies below the study's folder, and what stands there; or why there is none. */
  readonly circuits: { readonly folder: string; readonly found: Circuits } | { readonly none: string };
}

export interface StudySettings {
  readonly seed: number;
  readonly compat: Compat;
  readonly except: readonly string[];
}
