/** A loaded BLIP: what goes in, the forward with the picture remembered, the answer. */
import { openDry } from "../../kernels/dry.ts";
import type { Gpu } from "../../kernels/gpu.ts";
import { stacked } from "../../kernels/rows.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { captured } from "../capture.ts";
import { greedy } from "../greedy.ts";
import type { Inputs } from "../inputs.ts";
import type { LoadedWeights } from "../load-weights.ts";
import type { Input, Model } from "../model.ts";
import { remembered } from "../remembered.ts";
import { scope, type Tap, untapped } from "../scope.ts";
import { wantedWeights } from "../wanted.ts";
import type { Weights } from "../weights.ts";
import type { BlipConfig } from "./config.ts";
import type { KeyValue } from "./text-layer.ts";
import { answer, ask, type BlipSite, blipSites, lookAt, readOut, readSites, rememberImage, type Words } from "./vqa.ts";

/** Pictures whose keys and values stay on the device; as long as inputs share forwards, two for each of them. */
const REMEMBERED = 4;

/** What each layer of the question's tower reads of a picture. */
type Seen = readonly KeyValue[];

export function blipModel(
  gpu: Gpu,
  weights: LoadedWeights,
  config: BlipConfig,
  reading: Inputs,
  identity: Pick<Model, "name" | "identify">,
): Model {
  const sites = blipSites(config);
  const names = sites.map(({ name }) => name);
  const visionNames = names.filter((name) => /^(pixel_values$|vision_model\.)/.test(name));
  const questionNames = names.filter((name) => !name.startsWith("text_decoder."));
  const seen = remembered<Seen>(REMEMBERED, (picture) => gpu.release(...picture.flat()));
  const recorder = gpu.recorder();
  const shapes = new Map<number, ReadonlyMap<string, readonly number[]>>();

  const pixelTensor = ({ pixels }: Input) =>
    gpu.upload("pixel_values", [1, 3, config.vision.imageSize, config.vision.imageSize], pixels);

  /** The pictures of inputs: a row each, or one for all. */
  function look(inputs: readonly Input[]): Seen {
    const pictures = new Map(inputs.map((input) => [input.imageKey, input]));
    const keys = [...pictures.keys()];
    const known = seen.of(keys, (key) => lookAnew(pictures.get(key)!));
    if (keys.length === 1) return known[0]!;
    const which = inputs.map(({ imageKey }) => keys.indexOf(imageKey));
    const stack = (layer: number, part: 0 | 1): Tensor => {
      const tensors = known.map((picture) => picture[layer]![part]);
      return stacked(gpu, tensors, which);
    };
    return known[0]!.map((_, layer): KeyValue => [stack(layer, 0), stack(layer, 1)]);
  }

  function lookAnew(input: Input): Seen {
    const at = scope<BlipSite>(gpu, weights, untapped);
    const made = gpu.frame(() => rememberImage(at, config, lookAt(at, config, pixelTensor(input))));
    for (const tensor of made.flat()) gpu.keep(tensor);
    return made;
  }

  /** What nobody looks into is recorded, and made again without this code. */
  const repeated = (name: string, args: readonly Tensor[], tap: Tap, work: () => Tensor): Tensor =>
    tap === untapped ? recorder.run(name, args, work) : work();

  function question(inputs: readonly Input[], tap: Tap): Tensor {
    const at = scope<BlipSite>(gpu, weights, tap);
    const prompts = inputs.map(({ ids }) => ids);
    const words = wordTensors(gpu, "question", prompts);
    const looked = visionNames.find((name) => tap.watches(name));
    if (looked !== undefined && inputs.length > 1)
      throw new Error(`blip: got ${inputs.length} inputs for a forward with a tap at ${looked}, expected one`);
    if (looked !== undefined) return ask(at, config, lookAt(at, config, pixelTensor(inputs[0]!)), words);
    const picture = look(inputs);
    const args = [words.ids, words.positions, ...picture.flat()];
    return repeated("question", args, tap, () => ask(at, config, picture, words));
  }

  function reply(asked: Tensor, ids: readonly number[], tap: Tap): Tensor {
    const at = scope<BlipSite>(gpu, weights, tap);
    const words = wordTensors(gpu, "answer", [ids]);
    return repeated("answer", [words.ids, words.positions, asked], tap, () => answer(at, config, asked, words));
  }

  const forward = (inputs: Input | readonly Input[], tap: Tap) =>
    gpu.frame(() => reply(question([inputs].flat(), tap), [config.text.bosTokenId], tap));

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
    readSites: readSites(config),
    jointSites: names.filter((name) => name.startsWith("text_")),
    lastTokenSites: [],
    readOut: (states) => gpu.frame(() => readOut(scope<BlipSite>(gpu, weights, untapped), config, states)),
    run: (input, { capture } = {}) => captured(gpu, sites, (tap) => forward(input, tap), capture),
    async generate(input, options) {
      const { bosTokenId, sepTokenId, vocabSize } = config.text;
      let asked: Tensor | undefined;
      const next = (ids: readonly number[], tap: Tap) =>
        gpu.frame(() => {
          if (questionNames.some((name) => tap.watches(name))) return reply(question([input], tap), ids, tap);
          asked ??= gpu.keep(gpu.frame(() => question([input], tap)));
          return reply(asked, ids, tap);
        });
      const { decode } = reading;
      try {
        const start = [bosTokenId];
        return await greedy({ gpu, sites, vocabSize, start, ends: [sepTokenId], next, decode }, options);
      } finally {
        if (asked) gpu.release(asked);
      }
    },
    findWord: (input, word) => reading.findWord(input, word),
    pieces: (text) => reading.pieces(text),
    tokenText: (id) => reading.tokenText(id),
    shapes(tokens) {
      const known = shapes.get(tokens) ?? dryForward(config, tokens).shapes;
      shapes.set(tokens, known);
      return known;
    },
    close() {
      seen.clear();
      weights.release();
    },
  };
}

/**
 * A forward without a device: the stored shape of every site, in order, and the weights that it asks for.
 * @param stored weights on the dry device `gpu`, to see which programs run on them while nobody looks
 */
export function dryForward(config: BlipConfig, tokens: number, gpu: Gpu = openDry(), stored?: Weights) {
  const { weights, ...asked } = wantedWeights();
  const shapes = new Map<string, readonly number[]>();
  const tap: Tap = {
    watches: () => true,
    site(name, activation) {
      shapes.set(name, activation.shape);
      return activation;
    },
  };
  const at = scope<BlipSite>(gpu, stored ?? weights, stored ? untapped : tap);
  const { imageSize } = config.vision;
  const image = lookAt(at, config, gpu.tensor("pixel_values", [1, 3, imageSize, imageSize]));
  const words = wordTensors(gpu, "question", [new Array(tokens).fill(0)]);
  const question = ask(at, config, rememberImage(at, config, image), words);
  answer(at, config, question, wordTensors(gpu, "answer", [[0]]));
  return { shapes, ...asked, flop: gpu.flop };
}

/** Prompts of equal length. */
function wordTensors(gpu: Gpu, label: string, ids: readonly (readonly number[])[]): Words {
  const length = ids[0]!.length;
  if (ids.some((own) => own.length !== length))
    throw new Error(`blip: got prompts of ${ids.map((own) => own.length).join(", ")} tokens, expected equal numbers`);
  const positions = Uint32Array.from({ length }, (_, i) => i);
  return {
    ids: gpu.upload(`${label} ids`, [ids.length, length], Uint32Array.from(ids.flat())),
    positions: gpu.upload(`${label} positions`, [1, length], positions),
  };
}
