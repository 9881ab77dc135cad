/** What the original's defects do to the data of a study: the rows that `prepare` and `select` make with each and without. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { dataDefects, prepareDefects, selectDefects } from "../data/defects.ts";
import { countBy, prepare } from "../data/prepare.ts";
import { select } from "../data/select.ts";
import { readBytes, readTable } from "../data/table.ts";
import { UserError } from "../models/errors.ts";
import { type DataEffect, type DefectEffect, dataDefectsOf, wordsFor } from "../patching/defect-effects.ts";
import type { Place } from "./study-place.ts";

export async function dataEffects(place: Place): Promise<DefectEffect[]> {
  const effects: DefectEffect[] = [];
  for (const step of ["prepare", "select"] as const) {
    const ids = dataDefectsOf[place.task][step];
    if (ids.length === 0) continue;
    const corrected = await rowsOf(place, step, []);
    for (const id of ids)
      effects.push({ id, what: wordsFor(id), ...(await madeOtherwise(place, step, id, corrected)) });
  }
  return effects;
}

/** How many rows a step makes with a defect, and how many of these it does not make without; or why the original stops. */
async function madeOtherwise(
  place: Place,
  step: DataEffect["step"],
  id: string,
  corrected: readonly string[],
): Promise<{ made: DataEffect } | { note: string }> {
  const left = new Map(Object.entries(countBy(corrected)));
  try {
    const rows = await rowsOf(place, step, [id]);
    const others = rows.filter((row) => {
      const count = left.get(row) ?? 0;
      left.set(row, count - 1);
      return count <= 0;
    });
    return { made: { step, rows: rows.length, others: others.length } };
  } catch (error) {
    if (error instanceof UserError) return { note: `${step} stops: ${error.message.split(";")[0]}` };
    throw error;
  }
}

/** The rows as they are written. */
async function rowsOf({ model, task, folder, options }: Place, step: DataEffect["step"], except: readonly string[]) {
  const { data, seed, prompts, signal } = options;
  const out = join(folder, "defects", except[0] ?? "corrected", step === "prepare" ? "prepared.csv" : "chosen.csv");
  await mkdir(join(out, ".."), { recursive: true });
  const common = { task, seed, out, compat: "corrected" } as const;
  if (step === "prepare") {
    const defects = dataDefects(prepareDefects, "corrected", except);
    const asked = task === "svo_probes" ? prompts : undefined;
    await prepare({ ...common, data, defects, prompts: asked, signal, tokenizer: model.name });
  } else {
    const defects = dataDefects(selectDefects, "corrected", except);
    await select({ ...common, data: join(folder, "answered.csv"), perGroup: options.perGroup(task), defects });
  }
  return readTable(out, await readBytes(out), []).rows.map((cells) => JSON.stringify(cells));
}
