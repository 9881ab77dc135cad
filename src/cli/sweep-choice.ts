/** What the options of a sweep choose, and the settings that decide its numbers. */
import { resolve } from "node:path";
import type { Task } from "../data/sample.ts";
import { balanced, type DataFile, type DataRow } from "../data/samples.ts";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { type Model, readsPicture } from "../models/model.ts";
import type { Quantize } from "../models/nf4.ts";
import { sweepDefects } from "../patching/defects.ts";
import { headCount, resolveKind } from "../patching/kinds.ts";
import { type PositionName, positionNames } from "../patching/positions.ts";
import type { Compat, RunSettings } from "../patching/record.ts";
import { MIN_DENOMINATOR } from "../patching/score.ts";
import { readShard, type Shard } from "../patching/shard.ts";
import { version } from "../version.ts";
import { type Arguments, oneOf, someOf, wholeNumber } from "./command.ts";
import { quantizeFrom } from "./open.ts";

export function chooseRows(args: Arguments, data: DataFile): readonly DataRow[] {
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

export function chooseSweep(
  model: Model,
  args: Arguments,
  data: DataFile,
  rows: readonly DataRow[],
  task: Task,
): SweepChoice {
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

export const shardFrom = (args: Arguments): Shard | undefined => {
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
export async function settingsFor(model: Model, choice: SweepChoice, { info } = model.gpu): Promise<RunSettings> {
  const { config, weights } = await model.identify();
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
