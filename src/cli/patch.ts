import { basename, dirname } from "node:path";
import { checkPlace, openFolder, saveFile } from "#files";
import type { Gpu } from "../kernels/gpu.ts";
import { UserError } from "../models/errors.ts";
import type { Model } from "../models/model.ts";
import { type ReadyPlan, readyPlan, runPlan } from "../patching/apply-plan.ts";
import { readPlan } from "../patching/plan.ts";
import { type LogitRow, MIN_DENOMINATOR, scores } from "../patching/score.ts";
import type { Command } from "./command.ts";
import { adapterLine, precisionFrom, precisionOption, quantizeFrom, quantizeOption, withAsked } from "./open.ts";

export const command: Command = {
  positionals: ["MODEL"],
  options: {
    plan: { value: "FILE", help: "the plan, JSON (README: Plans)", required: true },
    out: { value: "FILE", help: "write the result there, not to standard output" },
    quantize: quantizeOption,
    precision: precisionOption,
  },
  async run(args, signal) {
    const path = args.value("plan")!;
    const folder = await openFolder(dirname(path));
    const plan = readPlan(await folder.json(basename(path)));
    const [name] = args.positionals as [string];
    if (plan.model !== undefined && plan.model !== name) {
      throw new UserError(`${path}: is a plan for model "${plan.model}", got MODEL "${name}"; use one name in both`);
    }
    const quantize = quantizeFrom(args);
    const out = args.value("out");
    const read = async (model: Model) => {
      if (out !== undefined) await checkPlace(out);
      return readyPlan(model, plan);
    };
    const apply = async (model: Model, gpu: Gpu, ready: ReadyPlan) => {
      const result = await runPlan(model, ready, { signal });
      const show = (row: LogitRow) => {
        const { kl, rank, top1, ...rest } = scores(row, result.clean, result.corrupt, {
          compat: "corrected",
          minDenominator: MIN_DENOMINATOR,
        });
        const logits = { correct: row.correct, incorrect: row.incorrect };
        return { logits, logsumexp: row.logsumexp, ...rest, kl, rank, top1 };
      };
      const text = JSON.stringify(
        {
          cells: result.cells.map((row, i) => ({ ...result.planned[i], ...show(row), changed: result.changed[i] })),
          clean: show(result.clean),
          corrupt: show(result.corrupt),
          answers: result.answers,
          direction: plan.direction,
          adapter: adapterLine(gpu, quantize),
        },
        null,
        1,
      );
      if (out === undefined) console.log(text);
      else await saveFile(out, new TextEncoder().encode(`${text}\n`));
      const idle = result.changed.filter((moved) => !moved).length;
      if (idle > 0)
        console.error(
          `${idle} of ${result.cells.length} cells changed no value: their replacement equals what was there`,
        );
      return 0;
    };
    return withAsked(name, signal, read, apply, quantize, precisionFrom(args));
  },
};
