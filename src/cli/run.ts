import type { Command } from "./command.ts";
import { wholeNumber } from "./command.ts";
import { adapterLine, withModel } from "./open.ts";

export const command: Command = {
  positionals: ["MODEL"],
  options: {
    image: { value: "FILE", help: "the picture", required: true },
    text: { value: "TEXT", help: "the question", required: true },
    top: { value: "N", help: "how many tokens of the answer position to list (5)" },
    tokens: { help: "list the question's tokens: index, id, text" },
  },
  async run(args, signal) {
    const top = wholeNumber(args, "top", 1) ?? 5;
    return withModel(args.positionals[0]!, signal, async (model, gpu) => {
      const input = await model.input({ image: args.value("image")!, text: args.value("text")! });
      const { logits } = await model.run(input);
      const answer = await model.generate(input, { signal });
      const best = topTokens(logits, top).map((entry) => ({ ...entry, token: model.tokenText(entry.id) }));
      const tokens = input.ids.map((id, index) => ({ index, id, token: model.tokenText(id) }));
      if (args.flag("json")) {
        console.log(JSON.stringify({ answer: answer.text, ids: answer.ids, top: best, tokens, adapter: gpu.info }));
        return 0;
      }
      console.log(answer.text);
      console.log("");
      for (const { token, id, probability, logit } of best) {
        console.log(`${probability.toFixed(4)}  ${logit.toFixed(3).padStart(8)}  ${token} (${id})`);
      }
      if (args.flag("tokens"))
        for (const { index, id, token } of tokens)
          console.log(`${String(index).padStart(4)} ${String(id).padStart(6)}  ${token}`);
      console.error(adapterLine(gpu));
      return 0;
    });
  },
};

/** The most probable tokens, over the whole vocabulary. */
function topTokens(logits: Float32Array, count: number) {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  return [...logits.keys()]
    .sort((a, b) => logits[b]! - logits[a]! || a - b)
    .slice(0, count)
    .map((id) => ({ id, logit: logits[id]!, probability: Math.exp(logits[id]! - largest) / total }));
}
