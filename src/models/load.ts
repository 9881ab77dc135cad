/** Finds a model by its name and loads it. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { openFolder } from "#files";
import type { Gpu } from "../kernels/gpu.ts";
import { readBlipConfig } from "./blip/config.ts";
import { openBlipInputs } from "./blip/input.ts";
import { blipModel, dryForward } from "./blip/model.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { UserError } from "./errors.ts";
import type { Folder } from "./files.ts";
import { hashOf, hashOfSource } from "./hash.ts";
import { type LoadProgress, loadWeights } from "./load-weights.ts";
import type { Model } from "./model.ts";

/** Models that ship with the package. */
const miniatures: Record<string, string> = { "blip-mini": "blip", "llava-mini": "llava" };

/**
 * Loads a BLIP question-answering model.
 * @param name a folder in Hugging Face's layout, a Hub name found in the local cache (HF_HUB_CACHE, HF_HOME), or `blip-mini`
 * @throws UserError if there is no such model, or it is of another kind
 */
export async function loadModel(
  gpu: Gpu,
  name: string,
  options: { onProgress?: (progress: LoadProgress) => void; signal?: AbortSignal } = {},
): Promise<Model> {
  const folder = await openFolder(findModel(name));
  const { config, configText } = await readConfig(folder, name);
  const inputs = await openBlipInputs(folder, config);
  const checkpoint = await openCheckpoint(folder);
  try {
    const { wanted } = dryForward(config, 2);
    const rename = (weight: string) => (weight === `${head}.bias` ? [`${head}.decoder.bias`] : []);
    const weights = await loadWeights(gpu, checkpoint, wanted.values(), { ...options, rename });
    const identify = async () => ({ config: hashOf(configText), weights: await weightsHash(folder) });
    return blipModel(gpu, weights, config, inputs, { name, identify });
  } finally {
    await checkpoint.close();
  }
}

const head = "text_decoder.cls.predictions";

async function readConfig(folder: Folder, name: string) {
  const configText = await folder.text("config.json");
  const json = ((await folder.json("config.json")) ?? {}) as { model_type?: unknown; architectures?: unknown };
  const architecture = [json.architectures].flat()[0];
  if (json.model_type !== "blip" || architecture !== "BlipForQuestionAnswering") {
    throw new UserError(
      `${name}: is ${String(json.model_type)} / ${String(architecture)}, expected blip / BlipForQuestionAnswering, the only kind that is built`,
    );
  }
  return { config: readBlipConfig(json), configText };
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

/** The folder of a model. */
export function findModel(name: string): string {
  const miniature = miniatures[name];
  if (miniature !== undefined) return join(packageRoot(), "weights", "miniature", miniature);
  if (existsSync(join(name, "config.json"))) return resolve(name);
  const snapshot = /^[\w.-]+\/[\w.-]+$/.test(name) ? hubSnapshot(name) : undefined;
  if (snapshot) return snapshot;
  throw new UserError(
    `model "${name}": found no folder with a config.json and no such model in the Hugging Face cache (${hubCache()}); ` +
      `expected a folder, a Hub name that was downloaded before, or one of ${Object.keys(miniatures).join(", ")}`,
  );
}

function hubCache(): string {
  const { HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env;
  return HF_HUB_CACHE ?? join(HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface"), "hub");
}

/** The snapshot that `main` points to. */
function hubSnapshot(name: string): string | undefined {
  const folder = join(hubCache(), `models--${name.replace("/", "--")}`);
  const ref = join(folder, "refs", "main");
  if (!existsSync(ref)) return undefined;
  const snapshot = join(folder, "snapshots", readFileSync(ref, "utf8").trim());
  return existsSync(join(snapshot, "config.json")) ? snapshot : undefined;
}

/** The folder of this package, from sources and from the build alike. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}
