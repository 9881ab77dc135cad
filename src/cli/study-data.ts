/** The first steps of a study: from an original's folder to the samples that a model answers rightly. */
import { join } from "node:path";
import { prepareDefects, selectDefects } from "../data/defects.ts";
import { evaluate } from "../data/evaluate.ts";
import { taskFolder } from "../data/layout.ts";
import { openPieces } from "../data/pieces.ts";
import { prepare } from "../data/prepare.ts";
import { select } from "../data/select.ts";
import { readBytes } from "../data/table.ts";
import { hashOf } from "../models/hash.ts";
import { plural } from "../patching/report/html.ts";
import type { Evaluated, Prepared, Selected } from "../patching/study.ts";
import { listingHash, type Taken, takeStep } from "../patching/study-stamp.ts";
import { version } from "../version.ts";
import { progressPrinter } from "./progress.ts";
import { type Place, statesOf, told } from "./study-place.ts";

export async function prepareStep(place: Place): Promise<Taken<Prepared>> {
  const { model, task, folder, options } = place;
  const { data, seed, compat, signal } = options;
  const prompts = task === "svo_probes" ? options.prompts : undefined;
  const defects = statesOf(prepareDefects, options);
  const printer = progressPrinter();
  const files = ["prepared.csv", "prepared.manifest.json"];
  const taken = await takeStep<Prepared>({
    ...{ folder, name: "prepare", files, places: files },
    from: {
      ...{ package_version: version(), seed, compat, defects },
      data: await listingHash(taskFolder(task, data).folder),
      prompts: prompts === undefined ? null : hashOf(await readBytes(prompts)),
      tokenizer: (await openPieces(model.name)).sha256,
    },
    async work() {
      const { rows, drops, pictures } = await prepare({
        ...{ task, data, seed, compat, defects, prompts, signal },
        ...{ out: join(folder, "prepared.csv"), tokenizer: model.name },
        onProgress: (done, total) => printer.show(`${done} of ${total} pictures`, done === total),
      });
      return { rows, drops, pictures: Object.keys(pictures).length, defects };
    },
  });
  const { rows, pictures, drops } = taken.found;
  const left = Object.values(drops).reduce((sum, count) => sum + count, 0);
  return told(place, "prepare", taken, `${plural(rows, "row")}, ${plural(pictures, "picture")}, ${left} left out`);
}

export async function evaluateStep(place: Place, prepared: Taken<Prepared>): Promise<Taken<Evaluated>> {
  const { model, folder, options } = place;
  const { quantize, signal } = options;
  const { config, weights } = await model.identify();
  const printer = progressPrinter();
  const files = ["answered.csv", "answered.manifest.json"];
  const taken = await takeStep<Evaluated>({
    ...{ folder, name: "evaluate", files, places: files, precious: true },
    from: {
      ...{ package_version: version(), model: model.name, config, weights, quantize: quantize ?? null },
      data: prepared.files,
    },
    again: ({ failed }) => failed > 0,
    async work() {
      const { rows, groups, all, failed } = await evaluate(model, {
        ...{ data: join(folder, "prepared.csv"), out: join(folder, "answered.csv"), quantize, signal },
        onProgress: ({ done, total }) => printer.show(`${done} of ${total} rows`, done === total),
      });
      return { rows, groups, all, failed: failed.length };
    },
  });
  const { right, answered, accuracy } = taken.found.all;
  return told(place, "evaluate", taken, `${right} of ${answered} right, ${(100 * accuracy).toFixed(1)} %`);
}

export async function selectStep(place: Place, evaluated: Taken<Evaluated>): Promise<Taken<Selected>> {
  const { task, folder, options } = place;
  const { seed, compat } = options;
  const defects = statesOf(selectDefects, options);
  const perGroup = options.perGroup(task);
  const files = ["chosen.csv", "chosen.manifest.json"];
  const taken = await takeStep<Selected>({
    ...{ folder, name: "select", files, places: files },
    from: {
      ...{ package_version: version(), seed, compat, defects, per_group: perGroup ?? "original" },
      data: evaluated.files["answered.csv"],
    },
    async work() {
      const { rows, groups, drops, per_group } = await select({
        ...{ task, seed, perGroup, compat, defects },
        ...{ data: join(folder, "answered.csv"), out: join(folder, "chosen.csv") },
      });
      return { rows, groups, drops, per_group, defects };
    },
  });
  const groups = Object.values(taken.found.groups);
  const short = groups.filter((group) => group.short > 0).length;
  const words = `${plural(taken.found.rows, "row")} of ${plural(groups.length, "group")}, ${short} of them short`;
  return told(place, "select", taken, words);
}
