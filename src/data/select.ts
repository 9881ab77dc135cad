/** Which of the answered rows go into a study: what `notice dataset select` does. */
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { version } from "../version.ts";
import type { Compat, DefectStates, selectDefects } from "./defects.ts";
import { manifestPath, saveManifest } from "./manifest.ts";
import { readParticiples } from "./participle.ts";
import type { Task } from "./sample.ts";
import { selectFaces } from "./select-faces.ts";
import { selectMit } from "./select-mit.ts";
import { selectSvo } from "./select-svo.ts";
import { type Answered, leaveOut, newReport, type Selection, type SelectReport } from "./selection.ts";
import { type Cells, readBytes, readTable, saveTable } from "./table.ts";
import { loadWords } from "./words.ts";

export interface SelectOptions {
  readonly task: Task;
  readonly data: string;
  readonly seed: number;
  readonly perGroup?: number | undefined;
  readonly out: string;
  readonly compat: Compat;
  readonly defects: DefectStates<typeof selectDefects>;
}

export interface SelectManifest extends SelectReport {
  readonly format: 1;
  readonly step: "select";
  readonly task: Task;
  readonly seed: number;
  readonly per_group: number;
  readonly package_version: string;
  readonly compat: Compat;
  readonly defects: DefectStates<typeof selectDefects>;
  readonly data_sha256: string;
  readonly rows: number;
  readonly csv_sha256: string;
}

/** Rows of a group, as the original takes them: of SVO-Probes' flag and direction, of the others' option and order. */
const usual: Readonly<Record<Task, number>> = { facial_expressions: 250, mit_states: 250, svo_probes: 500 };

const required: Readonly<Record<Task, readonly string[]>> = {
  facial_expressions: [],
  mit_states: ["state"],
  svo_probes: ["pos_triplet", "neg_triplet", "pos_url", "neg_url", "subj_neg", "verb_neg", "obj_neg"],
};

const common = [
  ...["clean_image_path", "corrupt_image_path", "clean_prompt", "corrupt_prompt"],
  ...["correct_answer", "generated_text"],
];

/** Writes the chosen rows and, beside them, the manifest. */
export async function select(options: SelectOptions): Promise<SelectManifest> {
  const { task, data, seed, out, compat, defects } = options;
  const bytes = await readBytes(data);
  const table = readTable(data, bytes, [...common, ...required[task]]);
  const report = newReport();
  const rows = answered(table.rows, task, data, report);
  const perGroup = options.perGroup ?? usual[task];
  const selection: Selection = { seed, perGroup, defects, report };
  const chosen =
    task === "facial_expressions"
      ? selectFaces(rows, selection)
      : task === "mit_states"
        ? selectMit(rows, selection)
        : selectSvo(rows, selection, readParticiples(await loadWords("participles.json")));
  if (chosen.length === 0) throw new UserError(`${data}: no row of task ${task} was answered rightly; check the model`);
  const columns = table.columns.includes("correct_first") ? table.columns : [...table.columns, "correct_first"];
  const csv = await saveTable(out, columns, lines());
  const manifest: SelectManifest = {
    format: 1,
    step: "select",
    task,
    seed,
    per_group: perGroup,
    package_version: version(),
    compat,
    defects,
    data_sha256: hashOf(bytes),
    rows: chosen.length,
    ...report,
    csv_sha256: csv,
  };
  await saveManifest(manifestPath(out), manifest);
  return manifest;

  function* lines(): Generator<string[]> {
    for (const { cells } of chosen) yield columns.map((column) => moved(cells[column] ?? "", column, data, out));
  }
}

/** Rows of the task, with their index in the file as pandas labels them. */
function answered(rows: readonly Cells[], task: Task, path: string, report: SelectReport): Answered[] {
  return rows.flatMap((cells, label) => {
    if (cells.task !== undefined && cells.task !== task) {
      leaveOut(report, "of another task", 1);
      return [];
    }
    for (const name of ["clean_prompt", "correct_answer"]) {
      if (cells[name]!.trim() !== "") continue;
      throw new UserError(`${path}: row ${label + 2}: column "${name}" is empty; fill it in or remove the row`);
    }
    return [{ label, cells, isRight: isRight(cells) }];
  });
}

/** LLaVA answers with a capital and the word is kept as it is: case does not count. */
const isRight = ({ generated_text, correct_answer }: Cells) =>
  generated_text!.trim().toLowerCase() === correct_answer!.trim().toLowerCase();

/** Picture paths go from the folder of the new file. */
export function moved(cell: string, column: string, from: string, to: string): string {
  const isPath = column === "clean_image_path" || column === "corrupt_image_path";
  if (!isPath || isAbsolute(cell) || /^[a-z]+:\/\//i.test(cell)) return cell;
  return relative(dirname(resolve(to)), join(dirname(resolve(from)), cell)).replaceAll("\\", "/");
}
