import { type Compat, dataDefects, prepareDefects, selectDefects } from "../data/defects.ts";
import { type EvaluateOptions, type Evaluation, evaluate as evaluateData, openEvaluation } from "../data/evaluate.ts";
import { manifestPath } from "../data/manifest.ts";
import { prepare as prepareData } from "../data/prepare.ts";
import { tasks } from "../data/sample.ts";
import { select as selectData } from "../data/select.ts";
import type { Gpu } from "../kernels/gpu.ts";
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import type { Arguments, Command, Option } from "./command.ts";
import { oneOf, wholeNumber } from "./command.ts";
import { quantizeFrom, quantizeOption, withAsked } from "./open.ts";
import { progressPrinter } from "./progress.ts";

const common: Readonly<Record<string, Option>> = {
  task: { value: "TASK", help: tasks.join(", "), required: true },
  seed: { value: "N", help: "of everything that is drawn", required: true },
  compat: { value: "COMPAT", help: "corrected (default) or upstream: as the original does" },
  except: { value: "D13,…", help: "defects that are the other way round" },
  out: { value: "FILE.csv", help: "the data file; FILE.manifest.json is written beside it", required: true },
};

export const prepare: Command = {
  positionals: [],
  options: {
    ...common,
    data: { value: "DIR", help: "the original's files, or a folder with one of the task's name", required: true },
    tokenizer: { value: "MODEL", help: "replacements have as many word pieces as the word to it (blip-mini)" },
    words: { value: "FILE", help: "the task's own words (default: in DIR, else the original's in data/words)" },
    prompts: { value: "FILE", help: "svo_probes: CSV of polished prompts (default: the template)" },
  },
  notes: [
    `Defects: ${prepareDefects.join(", ")}. A picture that is missing or cannot be read costs its rows (D23), always.`,
  ],
  async run(args, signal) {
    const compat = compatOf(args);
    const printer = progressPrinter();
    const manifest = await prepareData({
      task: taskOf(args),
      data: args.value("data")!,
      seed: seedOf(args),
      out: csvOf(args),
      compat,
      defects: dataDefects(prepareDefects, compat, exceptions(args)),
      tokenizer: args.value("tokenizer") ?? "blip-mini",
      words: args.value("words"),
      prompts: args.value("prompts"),
      signal,
      onProgress: (done, total) => printer.show(`${done} of ${total} pictures`, done === total),
    });
    const { pictures, ...summary } = manifest;
    if (args.flag("json")) {
      console.log(JSON.stringify({ ...summary, pictures: Object.keys(pictures).length, out: csvOf(args) }));
      return 0;
    }
    console.log(`${manifest.rows} rows, ${Object.keys(pictures).length} pictures in ${csvOf(args)}`);
    printCounts(manifest.groups);
    printCounts(manifest.drops, "left out: ");
    printCounts(manifest.replacements, "words replaced by one of ");
    return 0;
  },
};

export const evaluate: Command = {
  positionals: ["MODEL"],
  options: {
    data: { value: "FILE.csv", help: "the rows; picture paths relative to it", required: true },
    task: { value: "TASK", help: `only rows of ${tasks.join(", ")} (default: all rows)` },
    out: { value: "FILE.csv", help: "all columns and generated_text; an interrupted one goes on", required: true },
    quantize: quantizeOption,
  },
  notes: ["Greedy answers to the clean picture and prompt. A row whose picture cannot be read gets an empty text."],
  async run(args, signal) {
    const out = csvOf(args);
    const quantize = quantizeFrom(args);
    const printer = progressPrinter();
    const options: EvaluateOptions = {
      ...(args.value("task") !== undefined && { task: taskOf(args) }),
      ...{ data: args.value("data")!, out, quantize, signal },
      onProgress: ({ done, total, answered, seconds }) => {
        const left = Math.round((seconds / answered) * (total - done));
        printer.show(`${done} of ${total} rows, ${left} s left`, done === total);
      },
    };
    const read = (model: Model) => openEvaluation(model, options);
    const answer = (model: Model, _gpu: Gpu, asked: Evaluation) => evaluateData(model, options, asked);
    const manifest = await withAsked(args.positionals[0]!, signal, read, answer, quantize);
    const { groups, all, failed } = manifest;
    if (args.flag("json")) console.log(JSON.stringify({ ...manifest, out }));
    else {
      console.log(`${manifest.rows} rows in ${out}`);
      for (const [name, { answered, right, accuracy }] of [...Object.entries(groups), ["all", all] as const])
        console.log(
          `  ${name.padEnd(20)}${right} of ${answered} right,${`${(100 * accuracy).toFixed(1)} %`.padStart(8)}`,
        );
    }
    for (const { row, reason } of failed.slice(0, 10)) console.error(`row ${row} has no answer: ${reason}`);
    if (failed.length > 10) console.error(`${failed.length} rows have no answer; ${manifestPath(out)} says why`);
    return failed.length > 0 ? 1 : 0;
  },
};

export const select: Command = {
  positionals: [],
  options: {
    ...common,
    data: { value: "FILE.csv", help: "answered rows, with the column generated_text", required: true },
    "per-group": { value: "N", help: "rows of a group: 250 of an option and order, 500 of an SVO flag and direction" },
  },
  notes: [`Defects: ${selectDefects.join(", ")}. The original's seed is 1.`],
  async run(args) {
    const compat = compatOf(args);
    const manifest = await selectData({
      task: taskOf(args),
      data: args.value("data")!,
      seed: seedOf(args),
      perGroup: wholeNumber(args, "per-group", 1),
      out: csvOf(args),
      compat,
      defects: dataDefects(selectDefects, compat, exceptions(args)),
    });
    if (args.flag("json")) {
      console.log(JSON.stringify({ ...manifest, out: csvOf(args) }));
      return 0;
    }
    console.log(`${manifest.rows} rows in ${csvOf(args)}`);
    for (const [name, { answered, right, accuracy, chosen, short }] of Object.entries(manifest.groups)) {
      const percent = `${(100 * accuracy).toFixed(1)} %`.padStart(8);
      console.log(
        `${String(chosen).padStart(8)}  ${name.padEnd(20)}${right} of ${answered} right,${percent}${short > 0 ? `; ${short} short` : ""}`,
      );
    }
    printCounts(manifest.drops, "left out: ");
    if (manifest.empty_prompts > 0)
      console.error(
        `${manifest.empty_prompts} rows have no corrupt prompt, as in the original (D11); a sweep refuses them`,
      );
    return 0;
  },
};

const printCounts = (counts: Readonly<Record<string, number>>, before = "") => {
  for (const [what, count] of Object.entries(counts)) console.log(`${String(count).padStart(8)}  ${before}${what}`);
};

const taskOf = (args: Arguments) => oneOf(args, "task", tasks);
const compatOf = (args: Arguments): Compat => oneOf(args, "compat", ["corrected", "upstream"]);
const exceptions = (args: Arguments) => (args.value("except") ?? "").split(",").filter((id) => id !== "");

/** A seed as NumPy takes it. */
function seedOf(args: Arguments): number {
  const seed = wholeNumber(args, "seed")!;
  if (seed < 2 ** 32) return seed;
  throw new UserError(`--seed: got ${seed}, expected a whole number below 4294967296`);
}

function csvOf(args: Arguments): string {
  const out = args.value("out")!;
  if (/\.csv$/i.test(out)) return out;
  throw new UserError(`--out: got "${out}", expected a file that ends in .csv; ${manifestPath(out)} goes beside it`);
}
