/** Defects of the original (NOTICE.md 12 and 13) that the making of a data file can repeat, one by one. */
import { UserError } from "../models/errors.ts";

export type Compat = "corrected" | "upstream";

/** D8: replacements are drawn whatever their number of pieces. D11: its -ing step comes after the selection. */
export const prepareDefects = ["D8", "D11", "D13", "D14", "D15", "D16", "D22"] as const;
export const selectDefects = ["D11", "D12", "D18", "D22"] as const;

export type DefectStates<T extends readonly string[]> = Readonly<Record<T[number], Compat>>;

/** The state of each defect: as `compat` says, but for the exceptions, which are the other way round. */
export function dataDefects<const T extends readonly string[]>(
  defects: T,
  compat: Compat,
  except: readonly string[],
): DefectStates<T> {
  const unknown = except.find((id) => !defects.includes(id));
  if (unknown !== undefined) throw new UserError(`--except: got "${unknown}", expected some of ${defects.join(",")}`);
  const other = compat === "upstream" ? "corrected" : "upstream";
  return Object.fromEntries(defects.map((id) => [id, except.includes(id) ? other : compat])) as DefectStates<T>;
}
