/** Hugging Face's environment variables, and the layout of its cache, which its Python tools share. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "./errors.ts";
import { escapeIn } from "./plain-name.ts";
import { SHARD_INDEX } from "./shard-index.ts";

export const WEIGHTS = "model.safetensors";

/** Files without which no model can be read, beside its weights. */
export const needed = ["config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"];

/** ORG/NAME as the Hub spells it: `--` and `..` are not allowed there. */
export const isHubName = (name: string): boolean =>
  /^[A-Za-z0-9_][\w.-]*\/[A-Za-z0-9_][\w.-]*$/.test(name) && !/--|\.\.|[.-](?:\/|$)/.test(name);

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

const hubHome = ({ HF_HOME, XDG_CACHE_HOME } = process.env): string =>
  HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");

export const hubCache = (): string => resolve(process.env.HF_HUB_CACHE || join(hubHome(), "hub"));

export const isOffline = (): boolean => /^(?:1|on|yes|true)$/i.test(process.env.HF_HUB_OFFLINE ?? "");

/** Where the Hub is, without a slash at the end. */
export function hubEndpoint(): string {
  const text = process.env.HF_ENDPOINT || "https://huggingface.co";
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/+$/, "");
  throw new UserError(`HF_ENDPOINT: got "${text}", expected an address that begins with https:// or http://`);
}

/** HF_TOKEN, else what `hf auth login` left in the token file. */
export function hubToken(): string | undefined {
  const file = join(hubHome(), "token");
  const [name, text] = process.env.HF_TOKEN
    ? ["HF_TOKEN", process.env.HF_TOKEN]
    : [file, existsSync(file) ? readFileSync(file, "utf8") : ""];
  const token = text.trim();
  if (token === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new UserError(
    `${name}: holds a space or a character outside ASCII, expected a token such as hf_…; copy it again`,
  );
}

/** The places of one repository in the cache. */
export interface Shelf {
  readonly folder: string;
  readonly blobs: string;
  /** The bytes of a file, named by their hash. */
  blob(etag: string): string;
  /** The files of one commit: links to blobs. */
  snapshot(commit: string): string;
  /** Which commit a branch or a tag was at. */
  ref(revision: string): string;
  lock(etag: string): string;
}

export function shelfOf(name: string, cache = hubCache()): Shelf {
  const own = `models--${name.replace("/", "--")}`;
  const folder = join(cache, own);
  const blobs = join(folder, "blobs");
  return {
    folder,
    blobs,
    blob: (etag) => join(blobs, etag),
    snapshot: (commit) => join(folder, "snapshots", commit),
    ref: (revision) => join(folder, "refs", ...revision.split("/")),
    lock: (etag) => join(cache, ".locks", own, `${etag}.pid`),
  };
}

/** @throws UserError for a revision that is no file name, as branches and tags are kept in files */
export function checkRevision(revision: string): string {
  const reason = escapeIn(revision);
  if (reason === undefined) return revision;
  throw new UserError(
    `revision ${JSON.stringify(revision)} ${reason}, expected a branch, a tag, a commit or refs/pr/N; check it`,
  );
}

/** The folder of a revision that lies in the cache, whole or not. */
export function cachedSnapshot(name: string, revision = "main"): string | undefined {
  const shelf = shelfOf(name);
  const commit = isCommit(revision) ? revision : readRef(shelf.ref(checkRevision(revision)));
  if (commit === undefined || !isCommit(commit)) return undefined;
  const snapshot = shelf.snapshot(commit);
  return existsSync(snapshot) ? snapshot : undefined;
}

function readRef(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** The first file that a model's folder lacks; undefined if it is whole. A link to a missing blob counts as missing. */
export function missingFrom(folder: string): string | undefined {
  const lacks = (file: string) => !existsSync(join(folder, file));
  return needed.find(lacks) ?? (lacks(WEIGHTS) ? missingShard(folder, lacks) : undefined);
}

/** An index that cannot be read is for the reader of checkpoints to explain. */
function missingShard(folder: string, lacks: (file: string) => boolean): string | undefined {
  if (lacks(SHARD_INDEX)) return WEIGHTS;
  try {
    const { weight_map } = JSON.parse(readFileSync(join(folder, SHARD_INDEX), "utf8")) as {
      weight_map: Record<string, string>;
    };
    return Object.values(weight_map).find(lacks);
  } catch {
    return undefined;
  }
}
