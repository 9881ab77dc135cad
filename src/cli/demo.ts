import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Task, tasks } from "../data/sample.ts";
import { balanced, type DataFile, type DataRow, readDataFile } from "../data/samples.ts";
import { type HeadMean, strongestHeads } from "../patching/report.ts";
import { writeSideBySide } from "../patching/side-by-side.ts";
import { readRun } from "../patching/store.ts";
import { packageRoot } from "../version.ts";
import { type Command, wholeNumber } from "./command.ts";
import { adapterLine, withModel } from "./open.ts";
import { picturesBeside } from "./report.ts";
import { writeRun } from "./sweep.ts";
import { headPositions, settingsFor } from "./sweep-choice.ts";

/** Samples by default, one task after the other in turn: a demo of a minute on two cores without a GPU. */
const SAMPLES = 4;
/** The strongest heads that are drawn over the pictures. */
const OVERLAYS = 2;
const turns: readonly Task[] = ["mit_states", "facial_expressions", "svo_probes"];

/** What is swept in each model, and where below the demo's folder its run lies. */
const shows = [
  { model: "blip-mini", kinds: ["output", "attention_block", "crossattention_block"], below: "" },
  { model: "llava-mini", kinds: ["mlp_block", "attention_block"], below: "llava" },
] as const;

export const command: Command = {
  positionals: [],
  options: {
    samples: { value: "N", help: `samples, from the three tasks in turn (${SAMPLES})` },
    out: { value: "FOLDER", help: "the runs' folder (runs/demo); interrupted runs there go on" },
  },
  notes: [
    "Sweeps the miniature BLIP that ships with the package: both modes, three kinds, all heads; then the miniature LLaVA:",
    "every token of the question, and all heads at the answer and at the last token. Needs no GPU. FOLDER/index.html shows",
    "both side by side; each run has its own report.html, FOLDER/report.html and FOLDER/llava/report.html.",
  ],
  async run(args, signal) {
    const data = await readDataFile(join(packageRoot(), "data", "miniature", "samples.csv"));
    const count = wholeNumber(args, "samples", turns.length) ?? SAMPLES;
    const rows = turns.flatMap((task, turn) => {
      const own = data.rows.filter((row) => row.task === task);
      return balanced(own, Math.floor((count + turns.length - 1 - turn) / turns.length));
    });
    const out = args.value("out") ?? "runs/demo";
    const folders = shows.map(({ below }) => join(out, below));
    const found: Shown[] = [];
    for (const [i, show] of shows.entries()) found.push(await sweepModel(show, folders[i]!, data, rows, signal));
    const page = join(out, "index.html");
    await writeSideBySide(page, folders, (settings) => picturesBeside(settings.data.path));
    if (args.flag("json")) console.log(JSON.stringify({ ...found[0], page, models: found }));
    else {
      for (const shown of found) print(shown);
      console.log(`both side by side: ${page}`);
    }
    return found.some(({ failed }) => failed > 0) ? 1 : 0;
  },
};

interface Shown {
  readonly model: string;
  readonly report: string;
  readonly heads: readonly HeadMean[];
  /** Cells that were run now; 0 where the run was complete. */
  readonly cells: number;
  /** Sweeps that could not be run; the report says why. */
  readonly failed: number;
}

async function sweepModel(
  { model: name, kinds }: (typeof shows)[number],
  folder: string,
  data: DataFile,
  rows: readonly DataRow[],
  signal: AbortSignal,
): Promise<Shown> {
  return withModel(name, signal, async (model, gpu) => {
    const settings = await settingsFor(model, {
      data,
      rows,
      tasks: [...tasks],
      modes: ["image", "text"],
      kinds: [...kinds],
      heads: "all",
      positions: ["question"],
      head_positions: headPositions(model),
      compat: "corrected",
      except: [],
      direction: "denoising",
    });
    console.error(`${name} on ${adapterLine(gpu)}\n${rows.length} samples of 3 tasks, both modes, ${kinds.join(", ")}`);
    const known = existsSync(join(folder, "results.jsonl"));
    const progress = await writeRun(model, rows, settings, folder, signal, { overlays: OVERLAYS });
    if (known && progress.cells === 0)
      console.error("the run was complete already; delete its folder to see it computed");
    const { records } = await readRun(folder);
    const heads = strongestHeads(records, "logit_diff").slice(0, 3);
    const failed = records.filter((record) => "failed" in record).length;
    return { model: name, report: join(folder, "report.html"), heads, cells: progress.cells, failed };
  });
}

function print({ model, report, heads, failed }: Shown): void {
  if (failed > 0) console.error(`${model}: ${failed} sweeps failed; the report says why`);
  console.log(`${model}: strongest heads (mean change of the logit difference):`);
  for (const { kind, token, layer, head, mean, n } of heads) {
    const place = token === "last" ? "the last token" : "the correct answer";
    console.log(`  ${kind} L${layer}.H${head}  ${mean >= 0 ? "+" : ""}${mean.toFixed(3)}  at ${place} (${n} sweeps)`);
  }
  console.log(`report: ${report}`);
}
