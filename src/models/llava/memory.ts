/** Keys and values of prompts, made once and used by every run that begins like them. */
import type { Gpu } from "../../kernels/gpu.ts";
import { withRows } from "../../kernels/rows.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import type { Input } from "../model.ts";
import type { Tap } from "../scope.ts";
import type { LlavaConfig } from "./config.ts";
import type { LlamaPast } from "./llama.ts";
import { positions } from "./llava.ts";

/** Prompts whose keys and values stay on the device. */
const REMEMBERED = 2;

export interface PromptMemory {
  /** Keys and values of the first `count` positions of the prompt. */
  past(input: Input, count: number): LlamaPast;
  release(): void;
}

interface Entry {
  readonly imageKey: string;
  readonly ids: readonly number[];
  /** `self_attn.k` and `.v` of each layer by site, [1, positions, key heads, D]. */
  readonly kept: Map<string, Tensor>;
}

/** `run` runs the language model over a whole prompt under a tap. */
export function promptMemory(gpu: Gpu, config: LlavaConfig, run: (input: Input, tap: Tap) => void): PromptMemory {
  let entries: Entry[] = [];

  function make(input: Input): Entry {
    for (const old of entries.splice(REMEMBERED - 1)) gpu.release(...old.kept.values());
    const kept = new Map<string, Tensor>();
    try {
      run(input, keyValueTap(gpu, kept));
    } catch (error) {
      gpu.release(...kept.values());
      throw error;
    }
    return { imageKey: input.imageKey, ids: input.ids, kept };
  }

  return {
    past(input, count) {
      const known = entries.find((entry) => shared(config, entry, input) >= count);
      const entry = known ?? make(input);
      entries = [entry, ...entries.filter((other) => other !== entry)];
      return (layer) => {
        const of = (site: string) => entry.kept.get(`language_model.model.layers.${layer}.self_attn.${site}`)!;
        return { keys: { memory: of("k"), tokens: count }, values: { memory: of("v"), tokens: count } };
      };
    },
    release() {
      for (const { kept } of entries) gpu.release(...kept.values());
      entries = [];
    },
  };
}

/** Keeps copies: a value may be a part of memory that holds queries and keys too. */
function keyValueTap(gpu: Gpu, kept: Map<string, Tensor>): Tap {
  return {
    watches: () => false,
    site(name, activation) {
      if (/^language_model\..*\.self_attn\.[kv]$/.test(name))
        kept.set(name, gpu.keep(withRows(gpu, name, activation, 1)));
      return activation;
    },
  };
}

/** How many positions two prompts have in common from the start on. */
function shared(config: LlavaConfig, a: Pick<Input, "imageKey" | "ids">, b: Pick<Input, "imageKey" | "ids">): number {
  const differs = a.ids.findIndex((id, i) => id !== b.ids[i]);
  const common = a.ids.slice(0, differs === -1 ? a.ids.length : differs);
  const image = common.indexOf(config.imageTokenId);
  if (image === -1) return common.length;
  return a.imageKey === b.imageKey ? positions(config, common.length) : image;
}
