/**
 * The logit lens: what the answer would be if the model ended after each layer. The states come from the forwards that
 * the sweep makes anyway. L layers, T tokens that a forward computes, V vocabulary.
 */
import { columns } from "../kernels/columns.ts";
import { logitScores } from "../kernels/logit-scores.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { type Slice, writeSlices } from "../kernels/write-slices.ts";
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import type { Tap } from "../models/scope.ts";
import { startOf } from "./growing-batch.ts";
import type { CheckResult, LensRun } from "./record.ts";
import { difference, type LogitRow, logitRows, probability } from "./score.ts";
import { type Pair, type Patched, type SweepOptions, type SweepResult, sweepPairs } from "./sweep.ts";

export interface LensResult extends SweepResult {
  readonly lens: { readonly clean: LensRun; readonly corrupt: LensRun };
  /** Read from the last layer, the lens must give the run's own logits, to the bit. */
  readonly lensCheck: CheckResult;
}

/** A sweep whose first forward of each of the two runs is also looked at; that changes none of its numbers. */
export async function sweepWithLens(
  model: Model,
  patched: readonly Patched[],
  options: SweepOptions = {},
): Promise<LensResult[]> {
  const seen: { readonly inputs: readonly Input[]; readonly states: KeptStates }[] = [];
  const seenOf = (inputs: readonly Input[]) =>
    seen.find((one) => one.inputs.length === inputs.length && one.inputs.every((input, i) => input === inputs[i]));
  const looking: Model = {
    ...model,
    forward(given, tap, options) {
      const inputs = [given].flat();
      if (seenOf(inputs)) return model.forward(inputs, tap, options);
      const states = keptStates(model, inputs, options?.firstToken);
      seen.push({ inputs, states });
      return model.forward(inputs, states.through(tap), options);
    },
  };
  try {
    const results = await sweepPairs(looking, patched, options);
    const pairs = patched.map((one) => one.pair);
    const bases = seenOf(pairs.map(({ base }) => base))!.states.tensor;
    const others = seenOf(pairs.map(({ other }) => other))!.states.tensor;
    const [clean, corrupt] = pairs[0]!.direction === "denoising" ? [others, bases] : [bases, others];
    const cleanLayers = await readLayers(model, pairs, clean);
    const corruptLayers = await readLayers(model, pairs, corrupt);
    return results.map((result, i) => {
      const layers = { clean: cleanLayers[i]!, corrupt: corruptLayers[i]! };
      const wrong = (["clean", "corrupt"] as const).find((run) => !same(layers[run].at(-1)!, result[run]));
      const detail = wrong ? `the ${wrong} run's last layer reads otherwise than its logits` : "same bits";
      return {
        ...result,
        lens: { clean: lensRun(model, layers.clean), corrupt: lensRun(model, layers.corrupt) },
        lensCheck: { name: "logit lens", ok: wrong === undefined, detail },
      };
    });
  } finally {
    for (const { states } of seen) model.gpu.release(states.tensor, states.changed);
  }
}

interface KeptStates {
  /** [inputs, L, hidden]: the states at the answer position. */
  readonly tensor: Tensor;
  readonly changed: Tensor;
  /** A tap that also fills the tensor. */
  through(tap: Tap): Tap;
}

/** In a growing batch the tokens of an input's base run, all or the last, come first, however the rest is laid out. */
function keptStates(model: Model, inputs: readonly Input[], firstToken = 0): KeptStates {
  const { gpu, readSites } = model;
  const count = inputs.length;
  const shapes = model.shapes(inputs[0]!.ids.length, firstToken);
  const [, tokens, width] = shapes.get(readSites[0]!) as [number, number, number];
  const layers = readSites.length;
  const tensor = gpu.keep(gpu.tensor("lens states", [count, layers, width]));
  const changed = gpu.keep(gpu.upload("lens changed", [count], new Uint32Array(count)));
  const look = (layer: number, activation: Tensor) => {
    const last = (Math.min(tokens, activation.shape[1]!) - 1) * width;
    const slices = inputs.map((_, i): Slice => {
      const [to, from] = [(i * layers + layer) * width, startOf(activation, i, count) + last];
      return { to, from, length: width, kind: "copy", factor: 0 };
    });
    writeSlices(gpu, tensor, activation, slices, changed);
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

/** For each pair the scores of each layer's logits. */
async function readLayers(model: Model, pairs: readonly Pair[], states: Tensor): Promise<LogitRow[][]> {
  const { gpu, readSites, vocabSize } = model;
  const layers = readSites.length;
  const table = gpu.frame(() => {
    const logits = model.readOut(states); // [pairs, L, V]
    const flat = { ...logits, shape: [pairs.length, layers * vocabSize] };
    const last = columns(gpu, "last logits", flat, (layers - 1) * vocabSize, vocabSize);
    const all = { ...logits, shape: [pairs.length * layers, 1, vocabSize] };
    return logitScores(
      gpu,
      all,
      last,
      pairs.map(({ answers }) => answers),
    );
  });
  const found = logitRows(await gpu.read(table));
  gpu.release(table);
  const broken = found.findIndex(({ notFinite }) => notFinite > 0);
  if (broken === -1) return pairs.map((_, i) => found.slice(i * layers, (i + 1) * layers));
  throw new UserError(
    `logit lens: ${found[broken]!.notFinite} logits read from ${readSites[broken % layers]} are NaN or infinite, expected numbers; check the weights`,
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
