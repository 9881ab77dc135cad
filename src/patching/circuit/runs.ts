/** Which runs may be put together: one model, one set of defects, one data file for a task. */
import { UserError } from "../../models/errors.ts";
import type { RunSettings } from "../record.ts";

export interface GivenRun {
  readonly folder: string;
  readonly settings: RunSettings;
}

/** Tier A multiplies in float16. */
const precisionOf = ({ adapter }: RunSettings): string => (adapter.tier === "A" ? "fast" : "exact");

/** @throws UserError naming what differs, and in which two runs */
export function checkTogether(one: GivenRun, other: GivenRun): void {
  const [a, b] = [one.settings, other.settings];
  const shared = a.tasks.filter((task) => b.tasks.includes(task));
  const differing = [
    ...(sameModel(a, b) ? [] : compared("model", ...modelNames(a, b))),
    ...compared("model.quantize", a.model.quantize, b.model.quantize),
    ...compared("precision", precisionOf(a), precisionOf(b)),
    ...compared("compat", a.compat, b.compat),
    ...Object.keys({ ...a.defects, ...b.defects }).flatMap((id) =>
      compared(`defects.${id}`, a.defects[id], b.defects[id]),
    ),
    ...compared("min_denominator", a.min_denominator, b.min_denominator),
    ...(shared.length > 0 ? compared(`data.sha256 (${shared.join(", ")})`, a.data.sha256, b.data.sha256) : []),
  ];
  if (differing.length === 0) return;
  throw new UserError(
    `circuits: ${one.folder} and ${other.folder} cannot be put together: ${differing.join("; ")}; ` +
      "give runs of one model, one compatibility and, for a task, one data file",
  );
}

const compared = (field: string, a: unknown, b: unknown): string[] =>
  a === b ? [] : [`${field} is ${String(a ?? "nothing")} and ${String(b ?? "nothing")}`];

const sameModel = ({ model: a }: RunSettings, { model: b }: RunSettings): boolean =>
  a.config_sha256 === b.config_sha256 && a.weights_sha256 === b.weights_sha256;

/** By name, or where the names are the same by what else differs. */
function modelNames({ model: a }: RunSettings, { model: b }: RunSettings): [string, string] {
  if (a.name !== b.name) return [a.name, b.name];
  const digits = ({ config_sha256, weights_sha256 }: RunSettings["model"]) =>
    `config ${config_sha256.slice(0, 8)} weights ${weights_sha256.slice(0, 8)}`;
  return [`${a.name} (${digits(a)})`, `${b.name} (${digits(b)})`];
}

/**
 * The original puts its list beside the rows of the data file, and fails where it has lost some (D10).
 * @param lengths how many tables of heads there are, by corruption and kind
 * @throws UserError with both lengths
 */
export function checkLengths({ folder, settings }: GivenRun, lengths: ReadonlyMap<string, number>): void {
  const { data, defects, shard } = settings;
  if (defects.D10 === "corrected" || shard !== null) return;
  for (const [what, length] of lengths) {
    if (length === data.samples) continue;
    throw new UserError(
      `circuits: ${folder} has ${length} records of ${what} for ${data.samples} rows; the original, which puts them side ` +
        "by side, fails there (D10); finish the run, or give --compat corrected",
    );
  }
}
