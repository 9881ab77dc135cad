import { checkPlace } from "#files";
import type { Gpu } from "../kernels/gpu.ts";
import { UserError } from "../models/errors.ts";
import type { Input, InputSource, Model } from "../models/model.ts";
import { saveSafetensors } from "../models/save-safetensors.node.ts";
import { matchSites, type Site, siteIndex } from "../models/sites.ts";
import { sitePattern } from "../patching/kinds.ts";
import type { Arguments, Command } from "./command.ts";
import { adapterLine, precisionFrom, precisionOption, quantizeFrom, quantizeOption, withAsked } from "./open.ts";

export const command: Command = {
  positionals: ["MODEL"],
  options: {
    image: { value: "FILE", help: "the picture" },
    text: { value: "TEXT", help: "the question" },
    inputs: {
      value: "FILE",
      help: "in their place: a safetensors file with pixel_values [1,3,H,W] and input_ids [1,T]",
    },
    sites: { value: "'GLOB,…'", help: "sites to save; * is any run without a dot, ** any run", required: true },
    aliases: { help: "save a tensor under each accepted name that matches, not only the canonical one" },
    out: { value: "FILE", help: "the safetensors file to write", required: true },
    quantize: quantizeOption,
    precision: precisionOption,
  },
  notes: [
    "One float32 tensor a site, shaped as Hugging Face shapes it, batch 1; the logits of the answer position as `logits`.",
  ],
  async run(args, signal) {
    const source = inputSource(args);
    const quantize = quantizeFrom(args);
    const out = args.value("out")!;
    const read = async (model: Model) => {
      const names = namesOf(model.sites, args);
      await checkPlace(out);
      return { input: await model.input(source), names };
    };
    const save = async (model: Model, gpu: Gpu, { input, names }: { input: Input; names: readonly string[] }) => {
      const { logits, activations } = await model.run(input, { capture: names });
      const tensors = [...activations].map(([name, { shape, data }]) => ({ name, dtype: "F32" as const, shape, data }));
      if (!activations.has("logits"))
        tensors.push({ name: "logits", dtype: "F32", shape: [1, 1, logits.length], data: logits });
      await saveSafetensors(out, tensors, { format: "pt", model: model.name, adapter: adapterLine(gpu, quantize) });
      const bytes = tensors.reduce((total, { data }) => total + data.byteLength, 0);
      if (args.flag("json"))
        console.log(JSON.stringify({ out, tensors: tensors.map(({ name, shape }) => ({ name, shape })) }));
      else console.log(`${out}: ${tensors.length} tensors, ${(bytes / 1e6).toFixed(1)} MB`);
      return 0;
    };
    return withAsked(args.positionals[0]!, signal, read, save, quantize, precisionFrom(args));
  },
};

/** The sites of `--sites`, with `--aliases` under every name that they have. */
function namesOf(sites: readonly Site[], args: Arguments): string[] {
  const patterns = args.value("sites")!.split(",");
  const matched = matchSites(
    sites,
    patterns.map((pattern) => sitePattern(pattern, sites)),
  );
  if (!args.flag("aliases")) return matched.map(({ name }) => name);
  const index = siteIndex(sites);
  const meant = new Set(matched.map(({ name }) => index.get(name)!.site));
  return [...meant].flatMap((site) => [site, ...site.aliases].map(({ name }) => name));
}

/** `--image` with `--text`, or `--inputs`. */
export function inputSource(args: Arguments): InputSource {
  const [image, text, inputs] = ["image", "text", "inputs"].map((name) => args.value(name));
  if (inputs !== undefined && image === undefined && text === undefined) return { inputs };
  if (inputs === undefined && image !== undefined && text !== undefined) return { image, text };
  throw new UserError("expected --image FILE with --text TEXT, or --inputs FILE alone");
}
