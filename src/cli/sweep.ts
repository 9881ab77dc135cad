import { resolve } from "node:path";
import { type Task, tasks } from "../data/sample.ts";
import { balanced, checkPictures, type DataFile, type DataRow, readDataFile } from "../data/samples.ts";
import { openDry } from "../kernels/dry.ts";
import type { Gpu } from "../kernels/gpu.ts";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { type Model, readsPicture } from "../models/model.ts";
import type { Quantize } from "../models/nf4.ts";
import { type CostSettings, type SweepCost, sweepCost } from "../patching/cost.ts";
import { sweepDefects } from "../patching/defects.ts";
import { headCount, resolveKind } from "../patching/kinds.ts";
import { checkOverlays, writeOverlays } from "../patching/overlay.ts";
import { type PositionName, positionNames } from "../patching/positions.ts";
import type { Compat, RunSettings } from "../patching/record.ts";
import { runSweep, type SweepProgress } from "../patching/run.ts";
import { MIN_DENOMINATOR } from "../patching/score.ts";
import { inShard, readShard, type Shard } from "../patching/shard.ts";
import { openRun, readRun } from "../patching/store.ts";
import { version } from "../version.ts";
import type { Arguments, Command } from "./command.ts";
import { oneOf, someOf, wholeNumber } from "./command.ts";
import { estimate, estimateLines, flops } from "./estimate.ts";
import { adapterLine, loaded, precisionFrom, precisionOption, quantizeFrom, quantizeOption, withGpu } from "./open.ts";
import { progressPrinter, sweepLine } from "./progress.ts";
import { picturesBeside } from "./report.ts";

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
      const { choice, cost } = await dryRun(gpu, name, args, { data, rows, task }, signal);
      const found = await estimate(gpu, cost);
      const lines = [adapterLine(gpu, quantize), ...estimateLines(found)];
      if (args.flag("dry-run")) {
        console.log(args.flag("json") ? JSON.stringify(found) : lines.join("\n"));
        return 0;
      }
      console.error(lines.join("\n"));
      if (!found.fits) throw new UserError("sweep: needs more memory than may be used, see above");
      const run = async (model: Model) => {
        const before = gpu.flop;
        const settings = await settingsFor(model, choice);
        const { folder, progress } = await writeRun(model, rows, settings, args.value("out")!, signal, {
          exactCheck: wholeNumber(args, "exact-check"),
          overlays: wholeNumber(args, "overlays"),
        });
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
      return loaded(gpu, name, signal, run, quantize);
    };
    return withGpu(name, signal, work, precisionFrom(args));
  },
};

/** What the options choose, and what it costs, from the model's configuration and the sizes of its weights alone. */
async function dryRun(
  gpu: Gpu,
  name: string,
  args: Arguments,
  { data, rows, task }: { data: DataFile; rows: readonly DataRow[]; task: Task },
  signal: AbortSignal,
): Promise<{ choice: SweepChoice; cost: SweepCost }> {
  const dry = openDry(gpu.info);
  const count = async (model: Model) => {
    const choice = chooseSweep(model, args, data, rows, task);
    if (wholeNumber(args, "overlays")) checkOverlays(model, choice);
    const defects = sweepDefects(model, choice.compat, choice.except) as CostSettings["defects"];
    const settings = { ...choice, defects, min_denominator: MIN_DENOMINATOR };
    return { choice, cost: await sweepCost(model, inShard(rows, choice.shard ?? null), settings) };
  };
  return loaded(dry, name, signal, count, quantizeFrom(args));
}

/** Sweeps into a folder and, unless they are not asked for, writes its tables and report. */
export async function writeRun(
  model: Model,
  rows: readonly DataRow[],
  settings: RunSettings,
  folder: string,
  signal: AbortSignal,
  {
    exactCheck = 0,
    overlays = 0,
    tables = true,
  }: { exactCheck?: number | undefined; overlays?: number | undefined; tables?: boolean } = {},
) {
  const run = await openRun(folder, settings);
  const printer = progressPrinter();
  let started: number | undefined;
  try {
    const progress = await runSweep(model, rows, settings, run, {
      signal,
      exactCheck,
      onProgress(now: SweepProgress) {
        started ??= now.done - 1;
        printer.show(sweepLine(now, started), now.done === now.total);
      },
    });
    if (overlays > 0) await writeOverlays(model, rows, folder, { heads: overlays, signal });
    if (tables) await run.finish(picturesBeside(settings.data.path));
    return { folder, progress };
  } finally {
    await run.close();
  }
}

function chooseRows(args: Arguments, data: DataFile): readonly DataRow[] {
  const text = args.value("samples");
  const count = text === "mini" ? 10 : text === "full" ? undefined : wholeNumber(args, "samples", 1);
  if (args.flag("balanced")) {
    if (count === undefined) throw new UserError("sweep: --balanced needs --samples N");
    return balanced(data.rows, count);
  }
  return data.rows.slice(0, count);
}

/** Names the chosen rows, so that a run does not go on with others. */
const rowsHash = (rows: readonly DataRow[]): string => hashOf(rows.map(({ key }) => key).join("\n"));

function chooseSweep(model: Model, args: Arguments, data: DataFile, rows: readonly DataRow[], task: Task): SweepChoice {
  const kinds = (args.value("kind") ?? "").split(",").filter((kind) => kind !== "");
  for (const kind of kinds) resolveKind(model, kind);
  const compat = oneOf(args, "compat", ["corrected", "upstream"]);
  const except = (args.value("except") ?? "").split(",").filter((id) => id !== "");
  const shifted = sweepDefects(model, compat, except).D7 === "upstream";
  if (shifted && args.value("head-positions") !== undefined)
    throw new UserError(
      "--head-positions: the original patches heads at one place (D7); leave it out, or use --except D7",
    );
  return {
    data,
    rows,
    tasks: [task],
    modes: someOf(args, "mode", ["image", "text"]),
    kinds,
    heads: readHeads(model, args.value("heads"), kinds),
    positions: args.value("positions") === undefined ? ["question"] : someOf(args, "positions", positionNames),
    head_positions: shifted
      ? ["answer"]
      : args.value("head-positions") === undefined
        ? headPositions(model)
        : someOf(args, "head-positions", positionNames),
    compat,
    except,
    direction: oneOf(args, "direction", ["denoising", "noising"]),
    quantize: quantizeFrom(args),
    shard: shardFrom(args),
  };
}

const shardFrom = (args: Arguments): Shard | undefined => {
  const text = args.value("shard");
  return text === undefined ? undefined : readShard(text);
};

export interface SweepChoice
  extends Pick<RunSettings, "tasks" | "modes" | "kinds" | "heads" | "positions" | "head_positions" | "direction"> {
  readonly data: DataFile;
  readonly rows: readonly DataRow[];
  readonly compat: Compat;
  readonly except: readonly string[];
  readonly quantize?: Quantize | undefined;
  readonly shard?: Shard | undefined;
}

/** Everything that decides the numbers of a run. */
export async function settingsFor(model: Model, choice: SweepChoice): Promise<RunSettings> {
  const { config, weights } = await model.identify();
  const { info } = model.gpu;
  return {
    format: 1,
    package_version: version(),
    model: {
      name: model.name,
      config_sha256: config,
      weights_sha256: weights,
      ...(choice.quantize && { quantize: choice.quantize }),
    },
    data: {
      path: resolve(choice.data.path),
      sha256: choice.data.sha256,
      samples: choice.rows.length,
      rows: rowsHash(choice.rows),
    },
    adapter: { name: info.name, backend: info.kind, tier: info.tier },
    tasks: choice.tasks,
    modes: choice.modes,
    kinds: choice.kinds,
    heads: choice.heads,
    compat: choice.compat,
    positions: choice.positions,
    head_positions: choice.head_positions,
    defects: sweepDefects(model, choice.compat, choice.except) as RunSettings["defects"],
    direction: choice.direction,
    min_denominator: MIN_DENOMINATOR,
    shard: choice.shard ? [...choice.shard] : null,
  };
}

/** LLaVA's heads are many: by default those at the answer and at the last token, the final colon. */
export const headPositions = (model: Model): PositionName[] =>
  readsPicture(model) ? ["answer", "last"] : ["question"];

function readHeads(model: Model, text: string | undefined, kinds: readonly string[]): RunSettings["heads"] {
  if (text === undefined) return "none";
  const counts = kinds.map((kind) => headCount(model, resolveKind(model, kind), 2));
  const most = Math.max(...counts);
  if (most === 0) throw new UserError(`--heads: none of the kinds ${kinds.join(", ")} has heads; leave the option out`);
  if (text === "all") return "all";
  const heads = text.split(",").map((word) => (/^\d+$/.test(word) ? Number(word) : Number.NaN));
  if (heads.every((head) => head < most)) return [...new Set(heads)].sort((a, b) => a - b);
  throw new UserError(`--heads: got "${text}", expected all, or heads from 0 to ${most - 1}`);
}
