import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Task, tasks } from "../data/sample.ts";
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import { diskError, writeBytes } from "../patching/disk.ts";
import { takeLock } from "../patching/lock.ts";
import type { ModelStudy, TaskStudy } from "../patching/study.ts";
import { studyPage } from "../patching/study-page.ts";
import { folderName } from "../patching/study-stamp.ts";
import { type Arguments, type Command, oneOf, someOf, wholeNumber } from "./command.ts";
import { adapterLine, quantizeFrom, quantizeOption, withModel } from "./open.ts";
import { evaluateStep, prepareStep, selectStep } from "./study-data.ts";
import { defectsStep } from "./study-defects.ts";
import { checkExceptions, type Place, type StudyOptions, studySteps } from "./study-place.ts";
import { circuitsStep, sweepStep } from "./study-sweep.ts";

/** Rows of a group by default: some forty of each task of the miniature. */
const fewRows: Readonly<Record<Task, number>> = { facial_expressions: 3, mit_states: 7, svo_probes: 15 };

/** Samples on which defects are tried by default. */
const fewSamples = 4;

export const command: Command = {
  positionals: [],
  options: {
    data: { value: "DIR", help: "the folder with the tasks' folders, as `dataset prepare` reads them", required: true },
    models: { value: "MODEL,…", help: "one, or several one after the other", required: true },
    out: { value: "STUDY", help: "the study's folder; an interrupted study there goes on", required: true },
    tasks: { value: "TASK,…", help: `some of ${tasks.join(", ")} (all)` },
    seed: { value: "N", help: "of everything that is drawn (1)" },
    "per-group": {
      value: "N",
      help: `rows of a group (${tasks.map((task) => fewRows[task]).join(", ")}), or original: 250, 250, 500`,
    },
    samples: { value: "N", help: "sweep only N of a task's rows, taken evenly from groups and orders" },
    defects: {
      value: "N",
      help: `samples of a task on which each of the original's defects is tried (${fewSamples}; 0: none)`,
    },
    kinds: {
      value: "KIND,…",
      help: "what is patched (the original's: output and attentions; LLaVA: MLP and attention)",
    },
    compat: { value: "COMPAT", help: "corrected (default) or upstream: as the original does" },
    except: { value: "D4,…", help: "defects that are the other way round, in each step that knows them" },
    prompts: { value: "FILE", help: "svo_probes: CSV of polished prompts (default: the template)" },
    quantize: quantizeOption,
    until: { value: "STEP", help: `end after ${studySteps.join(", ")} of the tasks` },
  },
  notes: [
    "Prepares, evaluates, selects and sweeps each task (both corruptions; single heads at the answer's token, LLaVA's at the",
    "last one too), tries the original's defects one by one on a few samples, finds each model's circuits and writes",
    "STUDY/index.html. A step is skipped while its inputs, its settings and its files are what they were.",
  ],
  async run(args, signal) {
    const options = studyOptions(args, signal);
    const names = listOf(args.value("models")!);
    if (names.length === 0)
      throw new UserError(`--models: got "${args.value("models")}", expected a model, such as blip-mini`);
    await mkdir(options.out, { recursive: true }).catch((error: unknown) => {
      throw diskError(error, options.out);
    });
    const unlock = await takeLock(options.out);
    try {
      const models: ModelStudy[] = [];
      for (const name of names)
        models.push(await withModel(name, signal, (model) => studyModel(model, options), options.quantize));
      return await finish(args, options, models);
    } finally {
      unlock();
    }
  },
};

function studyOptions(args: Arguments, signal: AbortSignal): StudyOptions {
  const original = args.value("per-group") === "original";
  const perGroup = original ? undefined : wholeNumber(args, "per-group", 1);
  const seed = wholeNumber(args, "seed") ?? 1;
  if (seed >= 2 ** 32) throw new UserError(`--seed: got ${seed}, expected a whole number below 4294967296`);
  return {
    data: args.value("data")!,
    out: args.value("out")!,
    tasks: args.value("tasks") === undefined ? tasks : someOf(args, "tasks", tasks),
    seed,
    perGroup: (task) => (original ? undefined : (perGroup ?? fewRows[task])),
    samples: wholeNumber(args, "samples", 1),
    defects: wholeNumber(args, "defects") ?? fewSamples,
    kinds: args.value("kinds") === undefined ? undefined : listOf(args.value("kinds")!),
    compat: oneOf(args, "compat", ["corrected", "upstream"]),
    except: listOf(args.value("except") ?? ""),
    prompts: args.value("prompts"),
    quantize: quantizeFrom(args),
    until: args.value("until") === undefined ? undefined : oneOf(args, "until", studySteps),
    signal,
    say: args.flag("json") ? (line) => console.error(line) : (line) => console.log(line),
  };
}

const listOf = (text: string): string[] => [...new Set(text.split(",").filter((word) => word !== ""))];

async function studyModel(loaded: Model, options: StudyOptions): Promise<ModelStudy> {
  console.error(`${loaded.name} on ${adapterLine(loaded.gpu, options.quantize)}`);
  const identity = await loaded.identify();
  const model: Model = { ...loaded, identify: async () => identity }; // the weights are read once, not by each step
  checkExceptions(model, options);
  const found: TaskStudy[] = [];
  for (const task of options.tasks) found.push(await studyTask(model, task, options));
  const circuits = options.until ? { none: "They were not asked for." } : await circuitsStep(model, found, options);
  const { config, weights } = identity;
  return { name: model.name, config_sha256: config, weights_sha256: weights, tasks: found, circuits };
}

/** The steps of one task, up to the last one that was asked for. */
async function studyTask(model: Model, task: Task, options: StudyOptions): Promise<TaskStudy> {
  const folder = `${task}/${folderName(model.name)}`;
  const place: Place = { model, task, options, folder: join(options.out, folder) };
  const isLast = (step: (typeof studySteps)[number]) => options.until === step;
  const prepared = await prepareStep(place);
  let study: TaskStudy = { task, folder, prepare: prepared.found, files: prepared.files };
  if (isLast("prepare")) return study;
  const evaluated = await evaluateStep(place, prepared);
  study = { ...study, evaluate: evaluated.found, files: { ...study.files, ...evaluated.files } };
  if (isLast("evaluate")) return study;
  const selected = await selectStep(place, evaluated);
  study = { ...study, select: selected.found, files: { ...study.files, ...selected.files } };
  if (isLast("select")) return study;
  const { found, files, settings, data, rows } = await sweepStep(place, prepared);
  study = { ...study, sweep: found, settings, files: { ...study.files, ...files } };
  if (isLast("sweep")) return study;
  const defects = await defectsStep(place, { data, rows, kinds: settings.kinds, files: study.files });
  return { ...study, ...(defects && { defects }) };
}

async function finish(args: Arguments, options: StudyOptions, models: readonly ModelStudy[]): Promise<number> {
  const index = join(options.out, "index.html");
  if (!options.until) await writeBytes(index, studyPage(models, options));
  if (args.flag("json")) console.log(JSON.stringify({ ...(options.until ? {} : { index }), models }));
  else if (!options.until) console.log(index);
  const all = models.flatMap((model) => model.tasks);
  const failed = all.reduce((sum, { evaluate, sweep }) => sum + (evaluate?.failed ?? 0) + (sweep?.failed ?? 0), 0);
  if (failed > 0)
    console.error(`${failed} answers or sweeps failed; the reports say why, and the same command tries again`);
  return failed > 0 ? 1 : 0;
}
