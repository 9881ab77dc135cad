import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Task, tasks } from "../data/sample.ts";
import { balanced, readDataFile } from "../data/samples.ts";
import { packageRoot } from "../models/load.ts";
import { strongestHeads } from "../patching/report.ts";
import { readRun } from "../patching/store.ts";
import { type Command, wholeNumber } from "./command.ts";
import { adapterLine, withModel } from "./open.ts";
import { settingsFor, writeRun } from "./sweep.ts";

/** Samples by default, one task after the other in turn: a demo of a minute on two cores without a GPU. */
const SAMPLES = 4;
const turns: readonly Task[] = ["mit_states", "facial_expressions", "svo_probes"];

export const command: Command = {
  positionals: [],
  options: {
    samples: { value: "N", help: `samples, from the three tasks in turn (${SAMPLES})` },
    out: { value: "RUN", help: "the run's folder (runs/demo); an interrupted run there goes on" },
  },
  notes: ["Sweeps the miniature BLIP that ships with the package: both modes, three kinds, all heads. Needs no GPU."],
  async run(args, signal) {
    const file = join(packageRoot(), "data", "miniature", "samples.csv");
    const data = await readDataFile(file);
    const count = wholeNumber(args, "samples", turns.length) ?? SAMPLES;
    const rows = turns.flatMap((task, turn) => {
      const own = data.rows.filter((row) => row.task === task);
      return balanced(own, Math.floor((count + turns.length - 1 - turn) / turns.length));
    });
    return withModel("blip-mini", signal, async (model, gpu) => {
      const settings = await settingsFor(model, {
        data,
        rows,
        tasks: [...tasks],
        modes: ["image", "text"],
        kinds: ["output", "attention_block", "crossattention_block"],
        heads: "all",
        positions: ["question"],
        head_positions: ["question"],
        compat: "corrected",
        except: [],
        direction: "denoising",
      });
      console.error(`${adapterLine(gpu)}\n${rows.length} samples of 3 tasks, both modes, three kinds, all heads`);
      const known = existsSync(join(args.value("out") ?? "runs/demo", "results.jsonl"));
      const { folder, progress } = await writeRun(model, rows, settings, args, signal);
      if (known && progress.cells === 0)
        console.error("the run was complete already; delete its folder to see it computed");
      const heads = strongestHeads((await readRun(folder)).records, "logit_diff").slice(0, 3);
      const report = join(folder, "report.html");
      if (args.flag("json")) {
        console.log(JSON.stringify({ report, heads, ...progress }));
        return 0;
      }
      console.log("strongest heads (mean logit difference at the correct answer's token):");
      for (const { kind, layer, head, mean, n } of heads) {
        console.log(`  ${kind} L${layer}.H${head}  ${mean >= 0 ? "+" : ""}${mean.toFixed(3)}  (${n} sweeps)`);
      }
      console.log(`report: ${report}`);
      return 0;
    });
  },
};
