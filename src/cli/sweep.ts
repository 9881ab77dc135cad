import { type Task, tasks } from "../data/sample.ts";
import { checkPictures, type DataFile, type DataRow, readDataFile } from "../data/samples.ts";
import { openDry } from "../kernels/dry.ts";
import type { Gpu, Program } from "../kernels/gpu.ts";
import type { Matrix } from "../kernels/matrix.ts";
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import { type CostSettings, type SweepCost, sweepCost } from "../patching/cost.ts";
import { sweepDefects } from "../patching/defects.ts";
import { checkOverlays, writeOverlays } from "../patching/overlay.ts";
import type { RunSettings } from "../patching/record.ts";
import { runSweep, type SweepProgress } from "../patching/run.ts";
import { MIN_DENOMINATOR } from "../patching/score.ts";
import { inShard } from "../patching/shard.ts";
import { openRun, type Run, readRun } from "../patching/store.ts";
import { type Arguments, type Command, oneOf, wholeNumber } from "./command.ts";
import { estimate, estimateLines, flops } from "./estimate.ts";
import { adapterLine, loaded, precisionFrom, precisionOption, quantizeFrom, quantizeOption, withGpu } from "./open.ts";
import { progressPrinter, sweepLine } from "./progress.ts";
import { picturesBeside } from "./report.ts";
import { chooseRows, chooseSweep, settingsFor, shardFrom } from "./sweep-choice.ts";

export const command: Command = {
  positionals: ["MODEL"],
  options: {
    task: { value: "TASK", help: tasks.join(", "), required: true },
    data: { value: "FILE", help: "CSV with the samples; picture paths relative to it", required: true },
    mode: { value: "MODE", help: "what is corrupted: image, text, or image,text", required: true },
    kind: {
      value: "KIND,…",
      help: "output, attention_block, crossattention_block, mlp_block, …, or a site pattern",
      required: true,
    },
    positions: {
      value: "P,…",
      help: "tokens to patch: question (default), answer, last, all, image (LLaVA: each patch)",
    },
    "head-positions": { value: "P,…", help: "the same for single heads (BLIP: question, LLaVA: answer,last)" },
    heads: { value: "all|0,3", help: "patch these heads one by one as well, where a kind has heads" },
    samples: { value: "N", help: "only the first N rows of the task (mini: 10)" },
    balanced: { help: "take the N rows evenly from groups and orders instead" },
    compat: { value: "COMPAT", help: "corrected (default) or upstream: the original's numbers" },
    except: { value: "D4,…", help: "defects that are the other way round" },
    direction: { value: "DIR", help: "denoising (default): clean values into the corrupt run; or noising" },
    "dry-run": { help: "only say what it would cost: cells, arithmetic, memory, time" },
    quantize: quantizeOption,
    precision: precisionOption,
    overlays: { value: "N", help: "draw where the N strongest heads look, over the pictures of 6 samples (0)" },
    "exact-check": { value: "N", help: "run N cells of each sample again, alone, and compare bits" },
    shard: { value: "i/n", help: "only the samples of shard i, from 0, of n; slurm: as the array job says" },
    out: { value: "RUN", help: "the run's folder; an interrupted run there goes on; needed but for --dry-run" },
  },
  async run(args, signal) {
    const task = oneOf(args, "task", tasks);
    const data = await readDataFile(args.value("data")!, task);
    const [name] = args.positionals as [string];
    if (!args.flag("dry-run") && !args.value("out"))
      throw new UserError("sweep: needs --out RUN, or --dry-run; `notice sweep --help` says more");
    const quantize = quantizeFrom(args);
    if (shardFrom(args) && wholeNumber(args, "overlays"))
      throw new UserError(
        "--overlays: got a shard, whose strongest heads are not the run's; give it without --shard, to the merged run",
      );
    const rows = chooseRows(args, data);
    checkPictures(data, rows);
    const work = async (gpu: Gpu) => {
      const { cost, matrices, programs, identified } = await dryRun(gpu, name, args, { data, rows, task }, signal);
      if (!args.flag("dry-run")) await gpu.compile(programs);
      const found = await estimate(gpu, cost, matrices);
      const lines = [adapterLine(gpu, quantize), ...estimateLines(found)];
      if (args.flag("dry-run")) {
        console.log(args.flag("json") ? JSON.stringify(found) : lines.join("\n"));
        return 0;
      }
      console.error(lines.join("\n"));
      if (!found.fits) throw new UserError("sweep: needs more memory than may be used, see above");
      const settings = await identified();
      const run = await openRun(args.value("out")!, settings); // a folder of another run is told before weights are loaded
      const sweep = async (model: Model) => {
        const before = gpu.flop;
        const progress = await sweepInto(run, model, rows, settings, signal, {
          exactCheck: wholeNumber(args, "exact-check"),
          overlays: wholeNumber(args, "overlays"),
        });
        const { folder } = run;
        const failed = (await readRun(folder)).records.filter((record) => "failed" in record).length;
        if (args.flag("json"))
          console.log(JSON.stringify({ run: folder, ...progress, flop: gpu.flop - before, failed }));
        else console.log(`${folder}/report.html`);
        if (progress.cells > 0)
          console.error(`${flops(gpu.flop - before)} in all, ${flops((gpu.flop - before) / progress.seconds)}/s`);
        if (failed > 0)
          console.error(
            `${failed} ${failed === 1 ? "sweep" : "sweeps"} failed; the report says why, and the same command tries again`,
          );
        return failed > 0 ? 1 : 0;
      };
      return loaded(gpu, name, signal, sweep, quantize).finally(() => run.close());
    };
    return withGpu(name, signal, work, precisionFrom(args));
  },
};

interface DryRun {
  readonly cost: SweepCost;
  readonly matrices: readonly Matrix[];
  /** What it will run on the device. */
  readonly programs: Iterable<Program>;
  /** The run's settings; they hold the hash of the weights. */
  identified(): Promise<RunSettings>;
}

/** What the options choose, and what it costs, from the model's configuration and the sizes of its weights alone. */
async function dryRun(
  gpu: Gpu,
  name: string,
  args: Arguments,
  { data, rows, task }: { data: DataFile; rows: readonly DataRow[]; task: Task },
  signal: AbortSignal,
): Promise<DryRun> {
  const dry = openDry(gpu.info);
  const count = async (model: Model) => {
    const choice = chooseSweep(model, args, data, rows, task);
    if (wholeNumber(args, "overlays")) checkOverlays(model, choice);
    const defects = sweepDefects(model, choice.compat, choice.except) as CostSettings["defects"];
    const settings = { ...choice, defects, min_denominator: MIN_DENOMINATOR };
    const cost = await sweepCost(model, inShard(rows, choice.shard ?? null), settings);
    const identified = () => settingsFor(model, choice, gpu);
    return { cost, matrices: model.matrices, programs: dry.programs.values(), identified };
  };
  return loaded(dry, name, signal, count, quantizeFrom(args));
}

interface WriteOptions {
  readonly exactCheck?: number | undefined;
  readonly overlays?: number | undefined;
  /** false: no tables and no report. */
  readonly tables?: boolean;
}

/** Sweeps into a folder and, unless they are not asked for, writes its tables and report. */
export async function writeRun(
  model: Model,
  rows: readonly DataRow[],
  settings: RunSettings,
  folder: string,
  signal: AbortSignal,
  options?: WriteOptions,
): Promise<SweepProgress> {
  const run = await openRun(folder, settings);
  return sweepInto(run, model, rows, settings, signal, options).finally(() => run.close());
}

async function sweepInto(
  run: Run,
  model: Model,
  rows: readonly DataRow[],
  settings: RunSettings,
  signal: AbortSignal,
  { exactCheck = 0, overlays = 0, tables = true }: WriteOptions = {},
): Promise<SweepProgress> {
  const printer = progressPrinter();
  let started: number | undefined;
  const progress = await runSweep(model, rows, settings, run, {
    signal,
    exactCheck,
    onProgress(now: SweepProgress) {
      started ??= now.done - 1;
      printer.show(sweepLine(now, started), now.done === now.total);
    },
  });
  if (overlays > 0) await writeOverlays(model, rows, run.folder, { heads: overlays, signal });
  if (tables) await run.finish(picturesBeside(settings.data.path));
  return progress;
}
