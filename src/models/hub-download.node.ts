/** Downloads a model from the Hugging Face Hub into the cache that Hugging Face's own tools use. */
import { existsSync } from "node:fs";
import { copyFile, mkdir, rename, rm, statfs, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { openFolder } from "#files";
import { UserError } from "./errors.ts";
import { saveFile } from "./files.node.ts";
import { fetchBlob, partialSize, type RemoteFile } from "./hub-blob.node.ts";
import {
  checkRevision,
  hubCache,
  hubEndpoint,
  hubToken,
  isCommit,
  isHubName,
  isOffline,
  type Shelf,
  shelfOf,
} from "./hub-cache.ts";
import type { Client } from "./hub-http.ts";
import { chooseFiles, describeFile, listRepository } from "./hub-list.ts";
import { type DownloadProgress, type Meter, meter, shownBytes } from "./hub-progress.ts";
import { readShardIndex, SHARD_INDEX } from "./shard-index.ts";

export interface DownloadOptions {
  /** A branch, a tag, a commit, or refs/pr/N; by default main. */
  readonly revision?: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /** A line that is silent for so long is given up and asked again. */
  readonly stallMilliseconds?: number;
  /** The pause after a first failure; each further one doubles it. */
  readonly backoffMilliseconds?: number;
}

export interface Download {
  readonly folder: string;
  /** The commit. */
  readonly revision: string;
  readonly files: readonly string[];
  /** Of the files that were not there before. */
  readonly bytes: number;
}

/**
 * Downloads what a model is read from: config, tokenizer, processor and `.safetensors` weights.
 * What is there already is not fetched again; what was cut goes on. The revision is entered last, so it is whole or not there.
 * @throws UserError if the Hub refuses, the network fails for long, the disk is too small, or bytes arrive damaged
 */
export async function downloadModel(model: string, options: DownloadOptions = {}): Promise<Download> {
  if (!isHubName(model)) throw new UserError(`download: got "${model}", expected a name of the Hub: ORG/NAME`);
  if (isOffline()) throw new UserError(`${model}: HF_HUB_OFFLINE is set, so nothing is downloaded; unset it`);
  const client: Client = {
    model,
    revision: checkRevision(options.revision ?? "main"),
    endpoint: hubEndpoint(),
    token: hubToken(),
    signal: options.signal,
    stallMilliseconds: options.stallMilliseconds ?? 30_000,
    backoffMilliseconds: options.backoffMilliseconds ?? 500,
  };
  try {
    return await intoCache(client, shelfOf(model), options.onProgress);
  } catch (error) {
    throw writable(error);
  }
}

async function intoCache(client: Client, shelf: Shelf, onProgress: DownloadOptions["onProgress"]): Promise<Download> {
  const { model, revision } = client;
  const { commit, siblings } = await listRepository(client);
  const snapshot = shelf.snapshot(commit);
  const chosen = chooseFiles(client, siblings);
  await mkdir(shelf.blobs, { recursive: true });
  const missing = (file: string) => !existsSync(join(snapshot, file));
  const describe = (file: string) => describeFile(client, commit, file);

  const early = chosen.includes(SHARD_INDEX) && missing(SHARD_INDEX) ? [await describe(SHARD_INDEX)] : [];
  for (const index of early) await place(client, shelf, snapshot, index);
  const files = chosen.includes(SHARD_INDEX) ? [...chosen, ...(await shardsOf(snapshot, siblings))] : chosen;

  const remotes: RemoteFile[] = [];
  for (const file of files.filter(missing)) remotes.push(await describe(file));
  const wanted = [...early, ...remotes];
  if (wanted.length > 0) {
    const present = new Map(wanted.map((remote) => [remote.file, presentBytes(shelf, remote)]));
    const totalBytes = wanted.reduce((total, { size }) => total + size, 0);
    await checkDisk(model, shelf, totalBytes - [...present.values()].reduce((total, bytes) => total + bytes, 0));
    const progress = meter({ model, revision: commit, totalBytes }, present, onProgress ?? (() => {}));
    for (const remote of remotes) await place(client, shelf, snapshot, remote, progress);
  }
  if (!isCommit(revision)) {
    await mkdir(dirname(shelf.ref(revision)), { recursive: true });
    await saveFile(shelf.ref(revision), new TextEncoder().encode(commit));
  }
  return { folder: snapshot, revision: commit, files, bytes: wanted.reduce((total, { size }) => total + size, 0) };
}

/** The shards that the index names, each of which the repository must have. */
async function shardsOf(snapshot: string, siblings: ReadonlySet<string>): Promise<string[]> {
  const folder = await openFolder(snapshot);
  const shardOf = await readShardIndex({ ...folder, has: async (file) => siblings.has(file) });
  return [...new Set(shardOf.values())].sort();
}

function presentBytes(shelf: Shelf, { etag, size }: RemoteFile): number {
  const left = partialSize(shelf.blob(etag));
  return existsSync(shelf.blob(etag)) ? size : left <= size ? left : 0;
}

async function checkDisk(model: string, { blobs }: Shelf, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(blobs);
  if (bytes <= bavail * bsize) return;
  throw new UserError(
    `${model}: needs ${shownBytes(bytes)} more, ${hubCache()} has ${shownBytes(bavail * bsize)} free; ` +
      "make room, or set HF_HUB_CACHE to a folder on a larger disk",
  );
}

/** Fetches the bytes of a file, then gives them their name in the snapshot. */
async function place(client: Client, shelf: Shelf, snapshot: string, remote: RemoteFile, progress?: Meter) {
  const { file, etag, size } = remote;
  const blob = shelf.blob(etag);
  await fetchBlob(client, blob, shelf.lock(etag), remote, (loaded, arrived) => progress?.at(file, loaded, arrived));
  const path = join(snapshot, file);
  await mkdir(dirname(path), { recursive: true });
  await linkOrCopy(blob, path);
  progress?.done(file, size);
}

/** A relative link, so that the cache can be moved; a copy where links are not permitted. Another process may be first. */
async function linkOrCopy(blob: string, path: string): Promise<void> {
  const aside = `${path}.${process.pid}.tmp`;
  await rm(aside, { force: true });
  await symlink(relative(dirname(path), blob), aside).catch((error: NodeJS.ErrnoException) => {
    if (!["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(error.code ?? "")) throw error;
    return copyFile(blob, aside);
  });
  await rename(aside, path);
}

/** Errors of the disk in words; any other error as it is. */
function writable(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const causes: Readonly<Record<string, string>> = {
    ENOSPC: "the disk is full; make room and give the same command again, it goes on where it stopped",
    EDQUOT: "the disk quota is used up; make room and give the same command again, it goes on where it stopped",
    EROFS: "is on a file system that is read-only; set HF_HUB_CACHE to a folder that you may write to",
    EACCES: "you may not write there; change its permissions, or set HF_HUB_CACHE to another folder",
    EPERM: "you may not write there; change its permissions, or set HF_HUB_CACHE to another folder",
    ENOTDIR: "a part of the path is a file, expected folders; set HF_HUB_CACHE to another folder",
    EEXIST: "a part of the path is a file, expected folders; set HF_HUB_CACHE to another folder",
  };
  const cause = causes[code ?? ""];
  return cause === undefined || error instanceof UserError ? error : new UserError(`${hubCache()}: ${cause} (${code})`);
}
