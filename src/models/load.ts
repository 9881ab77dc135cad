/** Finds a model by its name and loads it. */
import { openFolder } from "#files";
import { openDry } from "../kernels/dry.ts";
import type { Gpu } from "../kernels/gpu.ts";
import { tune } from "../kernels/tuning.ts";
import { readArchitecture } from "./architectures.ts";
import { openCheckpoint } from "./checkpoint.ts";
import type { Folder } from "./files.ts";
import { hashOf, hashOfSource } from "./hash.ts";
import { fetchModel } from "./hub.ts";
import type { DownloadProgress } from "./hub-progress.ts";
import { checkRoom, type LoadProgress, loadWeights } from "./load-weights.ts";
import type { Model } from "./model.ts";
import { isQuantized, type Quantize } from "./nf4.ts";

export { findModel } from "./hub.ts";

export interface LoadOptions {
  /** Of a Hub name: a branch, a tag, a commit, or refs/pr/N; by default main, as the cache has it. */
  readonly revision?: string;
  /** Stores the linear layers in 4 bits, as the original stores LLaVA's; by default weights stay as exact as they are. */
  readonly quantize?: Quantize;
  /** Told of the download, where there is one, then of the weights on their way to the device. */
  readonly onProgress?: (progress: LoadProgress | DownloadProgress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Loads a BLIP question-answering model or a LLaVA-1.5.
 * @param name a folder in Hugging Face's layout, a Hub name (downloaded where the cache lacks it), `blip-mini` or `llava-mini`
 * @throws UserError if there is no such model, or it is of another kind
 */
export async function loadModel(gpu: Gpu, name: string, options: LoadOptions = {}): Promise<Model> {
  const folder = await openFolder(await fetchModel(name, options));
  const configText = await folder.text("config.json");
  const architecture = readArchitecture(await folder.json("config.json"), name);
  const assemble = await architecture.prepare(folder);
  const checkpoint = await openCheckpoint(folder);
  try {
    const asked = architecture.dry(2);
    const { quantize, onProgress, signal } = options;
    const load = (device: Gpu, told: Pick<LoadOptions, "onProgress" | "signal">) =>
      loadWeights(device, checkpoint, asked, {
        rename: architecture.otherNames,
        ...(quantize && { quantized: isQuantized }),
        ...told,
      });
    const dry = openDry(gpu.info);
    const stored = await load(dry, {});
    checkRoom(gpu, dry.bytes);
    architecture.dry(2, dry, stored);
    const compiled = gpu.compile(dry.programs.values());
    const [weights] = await Promise.all([load(gpu, { onProgress, signal }), compiled]);
    const identify = async () => ({ config: hashOf(configText), weights: await weightsHash(folder) });
    await tune(gpu, weights.matrices);
    return assemble(gpu, weights, { name, identify });
  } finally {
    await checkpoint.close();
  }
}

/** The sha256 of the weights: of the file, or of the list of the shards' hashes. */
async function weightsHash(folder: Folder): Promise<string> {
  const hash = async (file: string) => {
    const source = await folder.open(file);
    try {
      return await hashOfSource(source);
    } finally {
      await source.close();
    }
  };
  if (await folder.has("model.safetensors")) return hash("model.safetensors");
  const index = (await folder.json("model.safetensors.index.json")) as { weight_map: Record<string, string> };
  const shards = [...new Set(Object.values(index.weight_map))].sort();
  const hashes: string[] = [];
  for (const shard of shards) hashes.push(await hash(shard));
  return hashOf(hashes.join("\n"));
}
