/** The last steps of a study: the sweep of a task, and the circuits of all of a model's tasks. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { balanced, checkPictures, type DataRow, readDataFile } from "../data/samples.ts";
import { UserError } from "../models/errors.ts";
import { type Model, readsPicture } from "../models/model.ts";
import { type Circuits, findCircuits } from "../patching/circuit/document.ts";
import { sweepDefects } from "../patching/defects.ts";
import { headCount, resolveKind } from "../patching/kinds.ts";
import type { RunSettings } from "../patching/record.ts";
import { plural } from "../patching/report/html.ts";
import { readSettings } from "../patching/settings.ts";
import type { ModelStudy, Prepared, TaskStudy } from "../patching/study.ts";
import { type SweepFacts, sweepFacts } from "../patching/study-facts.ts";
import { folderName, type Taken, takeStep } from "../patching/study-stamp.ts";
import { version } from "../version.ts";
import { knownTo, type Place, type StudyOptions, told } from "./study-place.ts";
import { writeRun } from "./sweep.ts";
import { headPositions, settingsFor } from "./sweep-choice.ts";

/** Of the run the settings as they are stored: it may come from another machine. */
export async function sweepStep(place: Place, prepared: Taken<Prepared>) {
  const { model, task, folder, options } = place;
  const { samples, signal } = options;
  const data = await readDataFile(join(folder, "chosen.csv"), task);
  const rows = samples === undefined ? data.rows : balanced(data.rows, samples);
  checkPictures(data, rows);
  const settings = await studySettings(place, { data, rows });
  const {
    adapter: _,
    data: { path: __, ...chosen },
    ...deciding
  } = settings;
  const run = join(folder, "run");
  const taken = await takeStep<SweepFacts>({
    ...{ folder, name: "sweep", precious: true, checked: true, places: ["run"] },
    files: ["results.jsonl", "scores.npz", "scores.csv", "lens.csv", "report.html"].map((name) => `run/${name}`),
    from: {
      ...deciding,
      data: chosen,
      pictures: prepared.files["prepared.manifest.json"],
    },
    again: ({ failed }) => failed > 0,
    async work() {
      await writeRun(model, rows, settings, run, signal);
      return sweepFacts(run);
    },
  });
  const { sweeps, cells, failed } = taken.found;
  told(place, "sweep", taken, `${plural(sweeps, "sweep")}, ${plural(cells, "cell")}, ${failed} failed`);
  return { ...taken, data, rows, settings: await readSettings(run) };
}

type Rows = { readonly data: Awaited<ReturnType<typeof readDataFile>>; readonly rows: readonly DataRow[] };

/** Both corruptions, and single heads where a circuit looks at them. */
function studySettings({ model, task, options }: Place, { data, rows }: Rows): Promise<RunSettings> {
  const { compat, quantize } = options;
  const kinds = [...(options.kinds ?? usualKinds(model))];
  const heads = kinds.some((kind) => headCount(model, resolveKind(model, kind), 2) > 0) ? "all" : "none";
  return settingsFor(model, {
    ...{ data, rows, tasks: [task], modes: ["image", "text"], kinds, heads, compat, quantize },
    positions: ["question"],
    head_positions: readsPicture(model) ? headPositions(model) : ["answer"],
    except: knownTo(Object.keys(sweepDefects(model, compat, [])), options),
    direction: "denoising",
  });
}

/** What the original patches. */
const usualKinds = (model: Model): readonly string[] =>
  readsPicture(model) ? ["mlp_block", "attention_block"] : ["output", "attention_block", "crossattention_block"];

/** Important and universal heads over the tasks of a model. */
export async function circuitsStep(
  model: Model,
  studies: readonly TaskStudy[],
  { out, seed, compat, say }: StudyOptions,
): Promise<ModelStudy["circuits"]> {
  if (studies.every(({ settings }) => settings?.heads === "none"))
    return { none: "No single heads were swept: the kinds have none." };
  const name = folderName(model.name);
  const folder = join(out, "circuits");
  const json = `${name}/circuits.json`;
  try {
    const taken = await takeStep<{ important: number; heads: number; universal: number }>({
      ...{ folder, name, places: [name], files: [json, `${name}/circuits.csv`, `${name}/circuits.html`] },
      from: {
        ...{ package_version: version(), seed, compat },
        runs: studies.map(({ task, files }) => [task, files["run/results.jsonl"]]),
      },
      async work() {
        const runs = studies.map((study) => join(out, study.folder, "run"));
        const found = await findCircuits(runs, { sigma: 2, bootstrap: 1000, seed, compat });
        const { writeCircuits } = await import("../patching/circuit-report.ts");
        await writeCircuits(join(folder, name), found);
        return countsOf(found);
      },
    });
    const { important, heads, universal } = taken.found;
    const words = `${important} of ${plural(heads, "head")} important somewhere, ${universal} everywhere`;
    say(`${model.name}: circuits: ${words}${taken.unchanged ? ", unchanged" : ""}`);
    return { folder: `circuits/${name}`, found: JSON.parse(await readFile(join(folder, json), "utf8")) as Circuits };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    say(`${model.name}: circuits: none: ${error.message}`);
    return { none: error.message };
  }
}

/** Heads of each kind count for themselves. */
function countsOf({ circuits, universal }: Circuits): { important: number; heads: number; universal: number } {
  const names = (of: (circuit: Circuits["circuits"][number]) => readonly string[]) =>
    new Set(circuits.flatMap((circuit) => of(circuit).map((name) => `${circuit.kind} ${name}`))).size;
  return {
    important: names(({ important }) => important),
    heads: names(({ scores }) => scores.map(({ name }) => name)),
    universal: universal.reduce((sum, { heads }) => sum + (heads?.length ?? 0), 0),
  };
}
