/** One file of the Hub into the cache, resumed where it was cut, under its final name only when its hash is right. */
import { createHash } from "node:crypto";
import { constants, existsSync, statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { UserError } from "./errors.ts";
import { syncFolder } from "./files.node.ts";
import { type Answer, type Client, exchange, Interruption, persist } from "./hub-http.ts";
import { takeBlobLock } from "./hub-lock.node.ts";

export interface RemoteFile {
  readonly file: string;
  /** Below the endpoint. */
  readonly path: string;
  readonly size: number;
  /** sha256 of large files, git's sha1 of small ones. */
  readonly etag: string;
  /** The ETag of the answer itself, where it is the Hub that sends the bytes. */
  readonly validator: string | undefined;
}

/** Tells how many bytes of the file are in place, and how many of them came just now. */
export type Report = (loaded: number, arrived?: number) => void;

const PIECE = 16 * 2 ** 20;

/** Bytes that an earlier attempt left. */
export const partialSize = (blob: string): number =>
  statSync(`${blob}.incomplete`, { throwIfNoEntry: false })?.size ?? 0;

/**
 * Fetches a file to `blob` unless it is there already. Of processes that want the same one transfers, the others wait.
 * @throws UserError when the bytes have another hash twice; they are removed then
 */
export async function fetchBlob(client: Client, blob: string, lock: string, remote: RemoteFile, report: Report) {
  const waiting = () => report(existsSync(blob) ? remote.size : partialSize(blob));
  const release = await takeBlobLock(lock, waiting, client.signal);
  try {
    for (let tries = 1; !existsSync(blob); tries++) {
      const wrong = await transfer(client, `${blob}.incomplete`, remote, report);
      if (wrong === undefined) {
        await rename(`${blob}.incomplete`, blob);
        await syncFolder(dirname(blob));
        continue;
      }
      await rm(`${blob}.incomplete`);
      if (tries === 2) throw new UserError(`${client.model}: ${remote.file} ${wrong}, twice; ${removed}`);
    }
  } finally {
    release();
  }
}

const removed = "what came was removed; a proxy or the disk may damage data, try again later or over another network";

/** Returns what is wrong with the bytes, or undefined when all are there, right, and on the disk. */
async function transfer(client: Client, path: string, remote: RemoteFile, report: Report): Promise<string | undefined> {
  const partial = await openPartial(path, remote);
  try {
    let furthest = partial.size();
    let validator = remote.validator;
    report(furthest);
    const attempt = () =>
      exchange(client, request(remote, partial.size(), validator), async (answer) => {
        const problem = await begin(partial, remote, answer, validator);
        if (problem !== undefined) return problem;
        validator = strong(answer.headers.get("etag"));
        for await (const bytes of answer.body) {
          if (partial.size() + bytes.length > remote.size) return `is longer than its ${remote.size} bytes`;
          await partial.append(bytes);
          report(partial.size(), bytes.length);
        }
        if (partial.size() < remote.size) throw new Interruption(`ended at byte ${partial.size()} of ${remote.size}`);
        return undefined;
      });
    const progressed = () => {
      const further = partial.size() > furthest;
      furthest = Math.max(furthest, partial.size());
      return further;
    };
    const problem = partial.size() < remote.size ? await persist(client, attempt, progressed) : undefined;
    return problem ?? (await partial.finish());
  } finally {
    await partial.close();
  }
}

function request(remote: RemoteFile, from: number, validator: string | undefined) {
  const range: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
  if (from > 0 && validator !== undefined) range["if-range"] = validator;
  return { path: remote.path, method: "GET", file: remote.file, headers: range } as const;
}

/** Brings the partial file to where the answer begins: at its end, or at 0 if the Hub sends everything again. */
async function begin(partial: Partial, remote: RemoteFile, { status, headers }: Answer, validator: string | undefined) {
  if (status === 416) return `ends before byte ${partial.size()}, expected ${remote.size} bytes`;
  if (status !== 206) {
    await partial.restart();
    const length = headers.get("content-length");
    const right = length === null || headers.has("content-encoding") || Number(length) === remote.size;
    return right ? undefined : `comes with ${length} bytes, expected ${remote.size}`;
  }
  const [, from, total] = headers.get("content-range")?.match(/^bytes (\d+)-\d+\/(\d+|\*)$/) ?? [];
  const other = strong(headers.get("etag"));
  const changed = validator !== undefined && other !== undefined && other !== validator;
  if (changed || Number(from) !== partial.size()) {
    await partial.restart();
    throw new Interruption(changed ? "the file changed meanwhile" : "another range came than was asked for");
  }
  return total === "*" || Number(total) === remote.size ? undefined : `has ${total} bytes, expected ${remote.size}`;
}

/** A weak ETag (W/) says nothing about bytes. */
const strong = (etag: string | null): string | undefined => (etag?.startsWith('"') ? etag : undefined);

interface Partial {
  size(): number;
  append(bytes: Uint8Array): Promise<void>;
  restart(): Promise<void>;
  finish(): Promise<string | undefined>;
  close(): Promise<void>;
}

/** The file with the hash of what it holds so far. */
async function openPartial(path: string, { etag, size }: RemoteFile): Promise<Partial> {
  const kind = etag.length === 64 ? "sha256" : "sha1";
  const begun = () => (kind === "sha256" ? createHash(kind) : createHash(kind).update(`blob ${size}\0`));
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT);
  let hash = begun();
  let have = 0;
  const partial: Partial = {
    size: () => have,
    async append(bytes) {
      for (let done = 0; done < bytes.length; ) {
        done += (await handle.write(bytes, done, bytes.length - done, have + done)).bytesWritten;
      }
      hash.update(bytes);
      have += bytes.length;
    },
    async restart() {
      if (have > 0) await handle.truncate(0);
      hash = begun();
      have = 0;
    },
    async finish() {
      const digest = hash.digest("hex");
      if (digest !== etag) return `came with ${kind} ${digest}, expected ${etag}`;
      await handle.sync();
      const { size: stored } = await handle.stat();
      return stored === size ? undefined : `has ${stored} bytes on the disk, expected ${size}`;
    },
    close: () => handle.close(),
  };
  const { size: left } = await handle.stat();
  if (left > size) await handle.truncate(0);
  else {
    const piece = new Uint8Array(Math.min(PIECE, left));
    while (have < left) {
      const { bytesRead } = await handle.read(piece, 0, Math.min(piece.length, left - have), have);
      if (bytesRead === 0) break;
      hash.update(piece.subarray(0, bytesRead));
      have += bytesRead;
    }
  }
  return partial;
}
