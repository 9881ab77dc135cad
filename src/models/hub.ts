/** Finds the folder of a model by its name, and fetches it from the Hub where it is a name of the Hub. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { packageRoot } from "../version.ts";
import { UserError } from "./errors.ts";
import { cachedSnapshot, hubCache, isHubName, isOffline, missingFrom } from "./hub-cache.ts";
import { type DownloadOptions, downloadModel } from "./hub-download.node.ts";

/** Models that ship with the package. */
const miniatures: Record<string, string> = { "blip-mini": "blip", "llava-mini": "llava" };

/**
 * The folder of a model: a miniature, a folder, or a name of the Hub, which is downloaded first where the cache lacks it.
 * A revision that the cache has whole is used without asking the Hub whether there is a newer one.
 * @throws UserError if there is no such model
 */
export async function fetchModel(name: string, options: DownloadOptions = {}): Promise<string> {
  const { revision } = options;
  const local = localFolder(name);
  if (local !== undefined && revision !== undefined) {
    throw new UserError(`model "${name}": is a folder, got revision "${revision}", expected one for a Hub name only`);
  }
  const found = local ?? cachedModel(name, revision);
  if (found !== undefined) return found;
  if (!isDownloadable(name) || isOffline()) throw notFound(name, revision);
  return (await downloadModel(name, options)).folder;
}

/**
 * The folder of a model that is on this machine.
 * @throws UserError if it is not
 */
export function findModel(name: string): string {
  const found = localFolder(name) ?? cachedModel(name);
  if (found !== undefined) return found;
  throw notFound(name);
}

function localFolder(name: string): string | undefined {
  const miniature = Object.hasOwn(miniatures, name) ? miniatures[name] : undefined;
  if (miniature !== undefined) return join(packageRoot(), "weights", "miniature", miniature);
  return existsSync(join(name, "config.json")) ? resolve(name) : undefined;
}

function cachedModel(name: string, revision?: string): string | undefined {
  const snapshot = isHubName(name) ? cachedSnapshot(name, revision) : undefined;
  return snapshot !== undefined && missingFrom(snapshot) === undefined ? snapshot : undefined;
}

/** `weights/blip` in a folder that has `weights` is a path that was mistyped, not a name to ask the Hub for. */
const isDownloadable = (name: string): boolean => isHubName(name) && !existsSync(dirname(name));

function notFound(name: string, revision?: string): UserError {
  const snapshot = isHubName(name) ? cachedSnapshot(name, revision) : undefined;
  const lacking = snapshot === undefined ? undefined : missingFrom(snapshot);
  const state = lacking === undefined ? "no such model" : `that model without its ${lacking}`;
  const at = revision === undefined ? "" : ` at revision ${revision}`;
  const found = `model "${name}"${at}: found no folder with a config.json and ${state} in the Hugging Face cache (${hubCache()})`;
  const expected = `expected a folder, a name of the Hub (ORG/NAME), or one of ${Object.keys(miniatures).join(", ")}`;
  const remedy = isHubName(name) ? download(name) : "";
  return new UserError(`${found}; ${expected}${remedy}`);
}

const download = (name: string): string =>
  isOffline()
    ? "; HF_HUB_OFFLINE is set, so nothing is downloaded: unset it, or copy the cache from where there is a network"
    : `; \`notice download ${name}\` fetches it from the Hub`;
