/**
 * The logit lens: what the answer would be if the model ended after each layer. The states come from the forwards that
 * the sweep makes anyway. L layers, T tokens that a forward computes, V vocabulary.
 */
import { columns } from "../kernels/columns.ts";
import { logitScores } from "../kernels/logit-scores.ts";
import { size, type Tensor } from "../kernels/tensor.ts";
import { writeSlices } from "../kernels/write-slices.ts";
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import type { Tap } from "../models/scope.ts";
import type { Cell } from "./cell.ts";
import type { CheckResult, LensRun } from "./record.ts";
import { difference, type LogitRow, logitRows, probability } from "./score.ts";
import { type Pair, type SweepOptions, type SweepResult, sweepPair } from "./sweep.ts";

export interface LensResult extends SweepResult {
  readonly lens: { readonly clean: LensRun; readonly corrupt: LensRun };
  /** Read from the last layer, the lens must give the run's own logits, to the bit. */
  readonly lensCheck: CheckResult;
}

/** A sweep whose first forward of each of the two runs is also looked at; that changes none of its numbers. */
export async function sweepWithLens(
  model: Model,
  pair: Pair,
  cells: readonly Cell[],
  options: SweepOptions = {},
): Promise<LensResult> {
  const seen = new Map<Input, KeptStates>();
  const looking: Model = {
    ...model,
    forward(input, tap, options) {
      if (seen.has(input)) return model.forward(input, tap, options);
      const states = keptStates(model, input, options?.firstToken);
      seen.set(input, states);
      return model.forward(input, states.through(tap), options);
    },
  };
  try {
    const result = await sweepPair(looking, pair, cells, options);
    const [clean, corrupt] = pair.direction === "denoising" ? [pair.other, pair.base] : [pair.base, pair.other];
    const layers = {
      clean: await readLayers(model, pair, seen.get(clean)!.tensor),
      corrupt: await readLayers(model, pair, seen.get(corrupt)!.tensor),
    };
    const wrong = (["clean", "corrupt"] as const).find((run) => !same(layers[run].at(-1)!, result[run]));
    const detail = wrong ? `the ${wrong} run's last layer reads otherwise than its logits` : "same bits";
    return {
      ...result,
      lens: { clean: lensRun(model, layers.clean), corrupt: lensRun(model, layers.corrupt) },
      lensCheck: { name: "logit lens", ok: wrong === undefined, detail },
    };
  } finally {
    for (const { tensor, changed } of seen.values()) model.gpu.release(tensor, changed);
  }
}

interface KeptStates {
  /** [1, L, hidden]: the states at the answer position. */
  readonly tensor: Tensor;
  readonly changed: Tensor;
  /** A tap that also fills the tensor. */
  through(tap: Tap): Tap;
}

/** In a growing batch the tokens of the base run, all or the last, come first, however the rest is laid out. */
function keptStates(model: Model, { ids }: Input, firstToken = 0): KeptStates {
  const { gpu, readSites } = model;
  const [, tokens, width] = model.shapes(ids.length, firstToken).get(readSites[0]!) as [number, number, number];
  const layers = readSites.length;
  const tensor = gpu.keep(gpu.tensor("lens states", [1, layers, width]));
  const changed = gpu.keep(gpu.upload("lens changed", [layers], new Uint32Array(layers)));
  const look = (layer: number, activation: Tensor) => {
    const from = (Math.min(tokens, activation.shape[1]!) - 1) * width;
    const slice = { to: layer * width, from, length: width, kind: "copy", factor: 0 } as const;
    writeSlices(gpu, tensor, activation, [slice], changed, layer);
  };
  return {
    tensor,
    changed,
    through: (tap) => ({
      ...tap,
      site(name, activation) {
        const layer = readSites.indexOf(name);
        if (layer !== -1) look(layer, activation);
        return tap.site(name, activation);
      },
    }),
  };
}

/** The scores of each layer's logits. */
async function readLayers(model: Model, { answers }: Pair, states: Tensor): Promise<LogitRow[]> {
  const { gpu, readSites, vocabSize } = model;
  const table = gpu.frame(() => {
    const logits = model.readOut(states); // [1, L, V]
    const flat = { ...logits, shape: [1, size(logits.shape)] };
    const last = columns(gpu, "last logits", flat, size(logits.shape) - vocabSize, vocabSize);
    return logitScores(gpu, { ...logits, shape: [readSites.length, 1, vocabSize] }, last, answers);
  });
  const found = logitRows(await gpu.read(table));
  gpu.release(table);
  const broken = found.findIndex(({ notFinite }) => notFinite > 0);
  if (broken === -1) return found;
  throw new UserError(
    `logit lens: ${found[broken]!.notFinite} logits read from ${readSites[broken]} are NaN or infinite, expected numbers; check the weights`,
  );
}

const lensRun = (model: Model, layers: readonly LogitRow[]): LensRun => ({
  p: layers.map(probability),
  logit_diff: layers.map(difference),
  top1: layers.map(({ top1 }) => top1),
  top1_text: layers.map(({ top1 }) => model.tokenText(top1)),
});

const fields = ["correct", "incorrect", "largest", "sum", "rank", "top1"] as const;
const same = (a: LogitRow, b: LogitRow): boolean => fields.every((field) => a[field] === b[field]);
