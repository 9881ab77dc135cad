/** A step of a study: what each of the original's defects does to the circuit, on a few samples of a task. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { balanced, type DataFile, type DataRow } from "../data/samples.ts";
import type { Model } from "../models/model.ts";
import { circuitChanges } from "../patching/circuit/change.ts";
import { gatherScores } from "../patching/circuit/scores.ts";
import {
  comparisonsOf,
  type DefectEffect,
  type DefectEffects,
  notesOn,
  sweepsFor,
  wordsFor,
} from "../patching/defect-effects.ts";
import { sweepDefects } from "../patching/defects.ts";
import { writeBytes } from "../patching/disk.ts";
import { headCount, resolveKind } from "../patching/kinds.ts";
import type { RunSettings } from "../patching/record.ts";
import type { Column } from "../patching/report/grid.ts";
import { plural } from "../patching/report/html.ts";
import { sweepFacts } from "../patching/study-facts.ts";
import { takeStep } from "../patching/study-stamp.ts";
import { version } from "../version.ts";
import { dataEffects } from "./study-data-defects.ts";
import { type Place, told } from "./study-place.ts";
import { writeRun } from "./sweep.ts";
import { settingsFor } from "./sweep-choice.ts";

const SIGMA = 2;
const file = "defects/defects.json";

export interface Swept {
  readonly data: DataFile;
  readonly rows: readonly DataRow[];
  readonly kinds: readonly string[];
  /** sha256 of what the steps before made, by file. */
  readonly files: Readonly<Record<string, string>>;
}

/** Nothing where it is not asked for, or no kind has heads. */
export async function defectsStep(place: Place, swept: Swept): Promise<DefectEffects | undefined> {
  const { model, folder, options } = place;
  const kinds = swept.kinds.filter((kind) => headCount(model, resolveKind(model, kind), 2) > 0);
  if (options.defects === 0 || kinds.length === 0) return undefined;
  const rows = balanced(swept.rows, options.defects);
  const sweeps = await settingsOf(place, { ...swept, rows, kinds });
  const { adapter: _, data, ...deciding } = sweeps.get("corrected")!;
  const perGroup = options.perGroup(place.task);
  const taken = await takeStep<{ failed: number; words: string }>({
    ...{ folder, name: "defects", precious: true, checked: true, places: ["defects"] },
    files: [file, ...[...sweeps.keys()].map((id) => `defects/${id}/results.jsonl`)],
    from: {
      ...{ ...deciding, sigma: SIGMA, sweeps: [...sweeps.keys()] },
      data: { sha256: data.sha256, rows: data.rows },
      pictures: swept.files["prepared.manifest.json"],
      answered: { sha256: swept.files["answered.csv"], seed: options.seed, per_group: perGroup ?? "original" },
    },
    again: ({ failed }) => failed > 0,
    async work() {
      for (const [id, settings] of sweeps)
        await writeRun(model, rows, settings, join(folder, "defects", id), options.signal, { tables: false });
      const effects = await effectsOf(place, [...sweeps.keys()]);
      await writeBytes(join(folder, file), `${JSON.stringify(documentOf(place, rows, kinds, effects), null, 2)}\n`);
      const { failed } = await sweepFacts(join(folder, "defects", "corrected"));
      return { failed, words: wordsOf(effects) };
    },
  });
  told(place, "defects", taken, `${plural(rows.length, "sample")}; heads lost and new: ${taken.found.words}`);
  return JSON.parse(await readFile(join(folder, file), "utf8")) as DefectEffects;
}

const defectsOf = (model: Model): string[] => Object.keys(sweepDefects(model, "corrected", []));

/** The corrected sweep, each defect alone, and all of them, of single heads at the answer's token. */
async function settingsOf({ model, task, options }: Place, { data, rows, kinds }: Omit<Swept, "files">) {
  const sweeps = new Map<string, RunSettings>();
  const defects = defectsOf(model);
  for (const id of sweepsFor(defects)) {
    const isUpstream = id === "upstream";
    const kept = isUpstream ? ["D6"] : [id]; // D6 leaves heads as they are, and refuses kinds that the original has not
    const settings = await settingsFor(model, {
      ...{
        data,
        rows,
        tasks: [task],
        modes: ["image", "text"],
        kinds: [...kinds],
        heads: "all",
        quantize: options.quantize,
      },
      ...{ positions: ["answer"], head_positions: ["answer"], direction: "denoising" },
      compat: isUpstream ? "upstream" : "corrected",
      except: kept.filter((defect) => defects.includes(defect)),
    });
    sweeps.set(id, settings);
  }
  return sweeps;
}

async function effectsOf(place: Place, sweeps: readonly string[]): Promise<DefectEffect[]> {
  const { model, task, folder } = place;
  const scores = (sweep: string, column: Column, zeros = false) =>
    gatherScores([join(folder, "defects", sweep)], { column, compat: zeros ? "upstream" : "corrected", lenient: true });
  const effects: DefectEffect[] = [];
  for (const { id, sweep, column, before, zeros } of comparisonsOf(sweeps)) {
    const [one, other] = [await scores("corrected", before), await scores(sweep, column, zeros)];
    effects.push({ id, what: wordsFor(id), column, circuits: circuitChanges(one, other, SIGMA, before === column) });
  }
  return [...effects, ...(await dataEffects(place)), ...notesOn(defectsOf(model), task)];
}

const documentOf = (
  { model, task }: Place,
  rows: readonly DataRow[],
  kinds: readonly string[],
  effects: readonly DefectEffect[],
): DefectEffects => ({
  ...{ format: 1, package_version: version(), model: model.name, task, modes: ["image", "text"], kinds },
  ...{ samples: rows.length, rows: rows.map(({ index }) => index), sigma: SIGMA, effects },
});

const wordsOf = (effects: readonly DefectEffect[]): string =>
  effects
    .flatMap((effect) => {
      if (!("circuits" in effect)) return [];
      const [lost, gained] = (["lost", "gained"] as const).map((which) =>
        effect.circuits.reduce((sum, circuit) => sum + circuit[which].length, 0),
      );
      return [`${effect.id} ${lost} and ${gained}`];
    })
    .join(", ");
