import type { Gpu } from "../kernels/gpu.ts";
import type { Input, Model } from "../models/model.ts";
import { position } from "../patching/positions.ts";
import type { Command } from "./command.ts";
import { wholeNumber } from "./command.ts";
import { adapterLine, precisionFrom, precisionOption, quantizeFrom, quantizeOption, withAsked } from "./open.ts";

export const command: Command = {
  positionals: ["MODEL"],
  options: {
    image: { value: "FILE", help: "the picture", required: true },
    text: { value: "TEXT", help: "the question", required: true },
    top: { value: "N", help: "how many tokens of the answer position to list (5)" },
    tokens: { help: "list the prompt's tokens: index, place among all that is read, id, text, what it is" },
    quantize: quantizeOption,
    precision: precisionOption,
  },
  async run(args, signal) {
    const top = wholeNumber(args, "top", 1) ?? 5;
    const quantize = quantizeFrom(args);
    const read = (model: Model) => model.input({ image: args.value("image")!, text: args.value("text")! });
    const show = async (model: Model, gpu: Gpu, input: Input) => {
      const { logits } = await model.run(input);
      const answer = await model.generate(input, { signal });
      const best = topTokens(logits, top).map((entry) => ({ ...entry, token: model.tokenText(entry.id) }));
      const tokens = tokenMap(model, input);
      if (args.flag("json")) {
        const found = { answer: answer.text, ids: answer.ids, top: best, tokens };
        console.log(JSON.stringify({ ...found, adapter: gpu.info, ...(quantize && { quantize }) }));
        return 0;
      }
      console.log(answer.text);
      console.log("");
      for (const { token, id, probability, logit } of best) {
        console.log(`${probability.toFixed(4)}  ${logit.toFixed(3).padStart(8)}  ${token} (${id})`);
      }
      if (args.flag("tokens"))
        for (const { index, position, id, token, what } of tokens)
          console.log(
            `${String(index).padStart(4)} ${String(position).padStart(5)} ${String(id).padStart(6)}  ${what.padEnd(16)} ${JSON.stringify(token)}`,
          );
      console.error(adapterLine(gpu, quantize));
      return 0;
    };
    return withAsked(args.positionals[0]!, signal, read, show, quantize, precisionFrom(args));
  },
};

/** Each token of the prompt; LLaVA's picture stands for many in one place. */
function tokenMap(model: Model, input: Input) {
  const { ids, picture, text } = input;
  const words = text?.words ?? [];
  const question = picture ? (words.find(({ first }) => first > picture.at)?.first ?? 0) : 0;
  const assistant = picture
    ? (words.findLast(({ text: word }) => word === "ASSISTANT")?.first ?? ids.length)
    : ids.length;
  const side = Math.sqrt(picture?.tokens ?? 0);
  const whatIs = (index: number) => {
    if (index === picture?.at) return `image ${side} x ${side}`;
    if (index >= assistant) return "assistant";
    return index < question || text?.spans[index]?.end === 0 ? "format" : "question";
  };
  return ids.map((id, index) => ({
    index,
    position: position(input, index),
    id,
    token: model.tokenText(id),
    what: whatIs(index),
  }));
}

/** The most probable tokens, over the whole vocabulary. */
function topTokens(logits: Float32Array, count: number) {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  return [...logits.keys()]
    .sort((a, b) => logits[b]! - logits[a]! || a - b)
    .slice(0, count)
    .map((id) => ({ id, logit: logits[id]!, probability: Math.exp(logits[id]! - largest) / total }));
}
