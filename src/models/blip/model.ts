/** A loaded BLIP: what goes in, the forward with the picture remembered, the answer. */
import { openDry } from "../../kernels/dry.ts";
import type { Gpu } from "../../kernels/gpu.ts";
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

/** Pictures whose states stay on the device. */
const REMEMBERED = 4;

interface Seen {
  readonly states: Tensor;
  readonly keyValues: readonly KeyValue[];
}

export function blipModel(
  gpu: Gpu,
  weights: LoadedWeights,
  config: BlipConfig,
  inputs: Inputs,
  identity: Pick<Model, "name" | "identify">,
): Model {
  const sites = blipSites(config);
  const names = sites.map(({ name }) => name);
  const visionNames = names.filter((name) => /^(pixel_values$|vision_model\.)/.test(name));
  const questionNames = names.filter((name) => !name.startsWith("text_decoder."));
  const seen = remembered<Seen>(REMEMBERED, ({ states, keyValues }) => {
    gpu.release(states, ...keyValues.flat());
  });
  const recorder = gpu.recorder();
  const shapes = new Map<number, ReadonlyMap<string, readonly number[]>>();

  const pixelTensor = ({ pixels }: Input) =>
    gpu.upload("pixel_values", [1, 3, config.vision.imageSize, config.vision.imageSize], pixels);

  const look = (input: Input): Seen =>
    seen.of(input.imageKey, () => {
      const at = scope<BlipSite>(gpu, weights, untapped);
      const made = gpu.frame(() => {
        const states = lookAt(at, config, pixelTensor(input));
        return { states, keyValues: rememberImage(at, config, states) };
      });
      for (const tensor of [made.states, ...made.keyValues.flat()]) gpu.keep(tensor);
      return made;
    });

  /** What nobody looks into is recorded, and made again without this code. */
  const repeated = (name: string, args: readonly Tensor[], tap: Tap, work: () => Tensor): Tensor =>
    tap === untapped ? recorder.run(name, args, work) : work();

  function question(input: Input, tap: Tap): Tensor {
    const at = scope<BlipSite>(gpu, weights, tap);
    const words = wordTensors(gpu, "question", input.ids);
    if (visionNames.some((name) => tap.watches(name)))
      return ask(at, config, lookAt(at, config, pixelTensor(input)), words);
    const { states, keyValues } = look(input);
    const args = [words.ids, words.positions, states, ...keyValues.flat()];
    return repeated("question", args, tap, () => ask(at, config, states, words, keyValues));
  }

  function reply(asked: Tensor, ids: readonly number[], tap: Tap): Tensor {
    const at = scope<BlipSite>(gpu, weights, tap);
    const words = wordTensors(gpu, "answer", ids);
    return repeated("answer", [words.ids, words.positions, asked], tap, () => answer(at, config, asked, words));
  }

  const forward = (input: Input, tap: Tap) =>
    gpu.frame(() => reply(question(input, tap), [config.text.bosTokenId], tap));

  return {
    ...identity,
    gpu,
    sites,
    layers: config.text.numHiddenLayers,
    heads: config.text.numAttentionHeads,
    vocabSize: config.text.vocabSize,
    padId: inputs.padId,
    input: (source) => inputs.read(source),
    forward,
    readSites: readSites(config),
    lastTokenSites: [],
    readOut: (states) => gpu.frame(() => readOut(scope<BlipSite>(gpu, weights, untapped), config, states)),
    run: (input, { capture } = {}) => captured(gpu, sites, (tap) => forward(input, tap), capture),
    async generate(input, options) {
      const { bosTokenId, sepTokenId, vocabSize } = config.text;
      let asked: Tensor | undefined;
      const next = (ids: readonly number[], tap: Tap) =>
        gpu.frame(() => {
          if (questionNames.some((name) => tap.watches(name))) return reply(question(input, tap), ids, tap);
          asked ??= gpu.keep(gpu.frame(() => question(input, tap)));
          return reply(asked, ids, tap);
        });
      const { decode } = inputs;
      try {
        const start = [bosTokenId];
        return await greedy({ gpu, sites, vocabSize, start, ends: [sepTokenId], next, decode }, options);
      } finally {
        if (asked) gpu.release(asked);
      }
    },
    findWord: (input, word) => inputs.findWord(input, word),
    pieces: (text) => inputs.pieces(text),
    tokenText: (id) => inputs.tokenText(id),
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
  const words = wordTensors(gpu, "question", new Array(tokens).fill(0));
  const question = ask(at, config, image, words, rememberImage(at, config, image));
  answer(at, config, question, wordTensors(gpu, "answer", [0]));
  return { shapes, ...asked, flop: gpu.flop };
}

function wordTensors(gpu: Gpu, label: string, ids: readonly number[]): Words {
  const row = (name: string, values: readonly number[]) =>
    gpu.upload(`${label} ${name}`, [1, values.length], Uint32Array.from(values));
  return {
    ids: row("ids", ids),
    positions: row("positions", [...ids.keys()]),
  };
}
