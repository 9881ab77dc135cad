/** A loaded LLaVA: what goes in, the forward with the picture remembered, the answer. */
import type { KeyValuePast } from "../../kernels/attention.ts";
import { openDry } from "../../kernels/dry.ts";
import type { Gpu } from "../../kernels/gpu.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { captured } from "../capture.ts";
import { UserError } from "../errors.ts";
import { greedy } from "../greedy.ts";
import type { Inputs } from "../inputs.ts";
import type { LoadedWeights } from "../load-weights.ts";
import type { ForwardOptions, Input, Model } from "../model.ts";
import { remembered } from "../remembered.ts";
import { scope, type Tap, untapped } from "../scope.ts";
import { wantedWeights } from "../wanted.ts";
import type { Weights } from "../weights.ts";
import type { LlavaConfig } from "./config.ts";
import { lastTokenSites, readOut } from "./llama.ts";
import { answer, type LlavaSite, llavaSites, lookAt, positions, promptTensors, read } from "./llava.ts";
import { promptMemory } from "./memory.ts";

/** Pictures whose vectors stay on the device. */
const REMEMBERED = 4;

export function llavaModel(
  gpu: Gpu,
  weights: LoadedWeights,
  config: LlavaConfig,
  reading: Inputs,
  ends: readonly number[],
  identity: Pick<Model, "name" | "identify">,
): Model {
  const sites = llavaSites(config);
  const pictureNames = sites.map(({ name }) => name).filter((name) => !name.startsWith("language_model."));
  const seen = remembered<Tensor>(REMEMBERED, (vectors) => gpu.release(vectors));
  const recorder = gpu.recorder();
  const shapes = new Map<string, ReadonlyMap<string, readonly number[]>>();

  const pixelTensor = ({ pixels }: Input) =>
    gpu.upload("pixel_values", [1, 3, config.vision.imageSize, config.vision.imageSize], pixels);

  function look(input: Input): Tensor {
    const at = scope<LlavaSite>(gpu, weights, untapped);
    const make = () => gpu.keep(gpu.frame(() => lookAt(at, config, pixelTensor(input))));
    return seen.of([input.imageKey], make)[0]!;
  }

  const tensors = ({ ids }: Input, first: number) =>
    promptTensors(gpu, config, ids, ids.indexOf(config.imageTokenId), first);

  const memory = promptMemory(gpu, config, (input, tap) => {
    gpu.frame(() => {
      read(scope<LlavaSite>(gpu, weights, tap), config, look(input), tensors(input, 0));
    });
  });

  function forward(inputs: Input | readonly Input[], tap: Tap, { firstToken: first = 0 }: ForwardOptions = {}): Tensor {
    const [input, ...others] = [inputs].flat() as [Input, ...Input[]];
    if (others.length > 0) throw new Error(`llava: got ${others.length + 1} inputs for a forward, it takes one`);
    const watched = pictureNames.find((name) => tap.watches(name));
    checkFirst(config, input, first, watched);
    const at = scope<LlavaSite>(gpu, weights, tap);
    return gpu.frame(() => {
      const past = first === 0 ? undefined : memory.past(input, first);
      const image = watched === undefined ? look(input) : lookAt(at, config, pixelTensor(input));
      const prompt = tensors(input, first);
      const work = () => answer(at, config, image, prompt, past);
      if (tap !== untapped) return work();
      const layers = past ? Array.from({ length: config.text.numHiddenLayers }, (_, layer) => past(layer)) : [];
      const earlier = layers.flatMap(({ keys, values }) => [keys.memory, values.memory]);
      const args = [image, prompt.ids, prompt.angles.cos, prompt.angles.sin, ...earlier];
      return recorder.run(`answer from ${first}, picture at ${prompt.imageAt}`, args, work);
    });
  }

  return {
    ...identity,
    gpu,
    sites,
    layers: config.text.numHiddenLayers,
    heads: config.text.numAttentionHeads,
    vocabSize: config.text.vocabSize,
    matrices: weights.matrices,
    padId: reading.padId,
    input: (source) => reading.read(source),
    forward,
    readSites: Array.from({ length: config.text.numHiddenLayers }, (_, i) => `language_model.model.layers.${i}`),
    jointSites: [], // a prompt's own keys and values serve all its rows, which are many
    lastTokenSites: lastTokenSites(config.text).map((name) => `language_model.${name}`),
    readOut: (states) =>
      gpu.frame(() => readOut(scope<LlavaSite>(gpu, weights, untapped).in("language_model"), config.text, states)),
    run: (input, { capture } = {}) => captured(gpu, sites, (tap) => forward(input, tap), capture),
    generate(input, options) {
      const { vocabSize } = config.text;
      const last = positions(config, input.ids.length) - 1;
      const next = (ids: readonly number[], tap: Tap) => {
        const firstToken = pictureNames.some((name) => tap.watches(name)) ? 0 : last;
        return forward({ ...input, ids: [...input.ids, ...ids] }, tap, { firstToken });
      };
      return greedy({ gpu, sites, vocabSize, start: [], ends, next, decode: reading.decode }, options);
    },
    findWord: (input, word) => reading.findWord(input, word),
    pieces: (text) => reading.pieces(text),
    tokenText: (id) => reading.tokenText(id),
    shapes(tokens, firstToken = 0) {
      const key = `${tokens} ${firstToken}`;
      const known = shapes.get(key) ?? dryForward(config, tokens, firstToken).shapes;
      shapes.set(key, known);
      return known;
    },
    close() {
      memory.release();
      seen.clear();
      weights.release();
    },
  };
}

/** What is replaced in the picture would change the keys and values of the positions that the run leaves out. */
function checkFirst(config: LlavaConfig, { ids }: Input, first: number, watched: string | undefined): void {
  const last = positions(config, ids.length) - 1;
  if (!Number.isInteger(first) || first < 0 || first > last) {
    throw new UserError(`firstToken: got ${first}, expected a whole number from 0 to ${last}, the last position`);
  }
  const imageAt = ids.indexOf(config.imageTokenId);
  if (watched !== undefined && first > imageAt) {
    throw new UserError(
      `firstToken: got ${first}, but ${watched} is looked at, which acts from position ${imageAt} on; start there or before`,
    );
  }
}

/**
 * A forward without a device: the stored shape of every site, in order, and the weights that it asks for.
 * @param stored weights on the dry device `gpu`, to see which programs run on them while nobody looks
 */
export function dryForward(config: LlavaConfig, tokens: number, first = 0, gpu: Gpu = openDry(), stored?: Weights) {
  const { weights, ...asked } = wantedWeights();
  const shapes = new Map<string, readonly number[]>();
  const tap: Tap = {
    watches: () => true,
    site(name, activation) {
      shapes.set(name, activation.shape);
      return activation;
    },
  };
  const at = scope<LlavaSite>(gpu, stored ?? weights, stored ? untapped : tap);
  const { imageSize } = config.vision;
  const image = lookAt(at, config, gpu.tensor("pixel_values", [1, 3, imageSize, imageSize]));
  const past = first === 0 ? undefined : () => dryPast(gpu, config, first);
  answer(at, config, image, promptTensors(gpu, config, new Array(tokens).fill(0), 0, first), past);
  return { shapes, ...asked, flop: gpu.flop };
}

function dryPast(gpu: Gpu, { text }: LlavaConfig, tokens: number): KeyValuePast {
  const { hiddenSize, numAttentionHeads, numKeyValueHeads } = text;
  const memory = gpu.tensor("past", [1, tokens, numKeyValueHeads, hiddenSize / numAttentionHeads]);
  return { keys: { memory, tokens }, values: { memory, tokens } };
}
