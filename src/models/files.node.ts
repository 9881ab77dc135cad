/** Files on disk. Reads and writes go in pieces: Node 20 aborts the whole process for one of 2^31 bytes. */
import { randomUUID } from "node:crypto";
import { access, constants, type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError } from "./errors.ts";
import type { ByteSource, Folder } from "./files.ts";
import { escapeIn } from "./plain-name.ts";

const PIECE = 64 * 2 ** 20;

/**
 * Opens a file for reading by range; the caller closes it.
 * @throws UserError if there is no such file or it cannot be read
 */
export async function openFile(path: string): Promise<ByteSource> {
  const status = await guard(path, "file", () => stat(path));
  if (!status.isFile()) {
    throw new UserError(
      `${path}: is ${status.isDirectory() ? "a folder" : "no regular file"}, expected a file; check the path`,
    );
  }
  const handle = await guard(path, "file", () => open(path, "r"));
  const { size } = status;
  return {
    name: path,
    size,
    async read(offset, length, signal) {
      checkRange({ path, handle, size }, offset, length);
      const bytes = allocate(path, length);
      await readInto({ path, handle, size }, offset, bytes, signal);
      return bytes;
    },
    readInto: (offset, into, signal) => readInto({ path, handle, size }, offset, into, signal),
    close: () => handle.close(),
  };
}

interface OpenFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly size: number;
}

function checkRange({ path, size }: OpenFile, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (whole && offset + length <= size) return;
  throw new UserError(
    `${path}: asked for ${length} bytes from ${offset}, expected a range within its ${size} bytes; is the file whole?`,
  );
}

async function readInto(file: OpenFile, offset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
  const { path, handle, size } = file;
  const { length } = into;
  checkRange(file, offset, length);
  for (let done = 0; done < length; ) {
    signal?.throwIfAborted();
    const want = Math.min(PIECE, length - done);
    const { bytesRead } = await guard(path, "file", () => handle.read(into, done, want, offset + done));
    if (bytesRead === 0) {
      throw new UserError(
        `${path}: ended ${length - done} bytes early, expected ${size} bytes; did it change while it was read?`,
      );
    }
    done += bytesRead;
  }
}

function allocate(path: string, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch {
    throw new UserError(`${path}: asked for ${length} bytes at once, more than fit into memory; read it in parts`);
  }
}

/**
 * A folder on disk. Links are followed: a name is judged, not its target.
 * @throws UserError if there is no such folder
 */
export async function openFolder(path: string): Promise<Folder> {
  const status = await guard(path, "folder", () => stat(path));
  if (!status.isDirectory()) throw new UserError(`${path}: is a file, expected a folder; check the path`);
  const folder: Folder = {
    name: path,
    has: async (file) => isFile(inside(path, file)),
    open: async (file) => openFile(inside(path, file)),
    async bytes(file) {
      const source = await folder.open(file);
      try {
        return await source.read(0, source.size);
      } finally {
        await source.close();
      }
    },
    async text(file) {
      const bytes = await folder.bytes(file);
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      } catch {
        throw new UserError(
          `${join(path, file)}: is not UTF-8, expected text in that encoding; save or download it again`,
        );
      }
    },
    async json(file) {
      const text = await folder.text(file);
      try {
        return JSON.parse(text);
      } catch (error) {
        throw new UserError(
          `${join(path, file)}: is not JSON (${(error as Error).message}); save or download it again`,
        );
      }
    },
  };
  return folder;
}

function inside(folder: string, file: string): string {
  const reason = escapeIn(file);
  if (reason === undefined) return join(folder, file);
  throw new UserError(
    `${folder}: file name ${JSON.stringify(file)} ${reason}, expected a plain name inside the folder`,
  );
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw readable(path, "file", error);
  }
}

/** @throws UserError where `saveFile` could not write, as far as that can be told before */
export async function checkPlace(path: string): Promise<void> {
  await guard(path, "place to write", () => access(dirname(path), constants.W_OK));
}

/**
 * Writes a file whole or not at all: to a temporary name beside it, then to disk, then renamed.
 * @param pieces the bytes, or parts of them in order
 * @throws UserError if it cannot be written; whatever was at `path` is then untouched
 */
export async function saveFile(
  path: string,
  pieces: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  const handle = await guard(path, "place to write", () => open(temporary, "wx"));
  try {
    try {
      for await (const bytes of pieces instanceof Uint8Array ? [pieces] : pieces) {
        for (let done = 0; done < bytes.length; ) {
          const want = Math.min(PIECE, bytes.length - done);
          done += (await guard(path, "place to write", () => handle.write(bytes, done, want))).bytesWritten;
        }
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await guard(path, "place to write", () => rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** So that the new name outlives a power cut, where the system can do it: Windows cannot. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

async function guard<T>(path: string, what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw readable(path, what, error);
  }
}

/** A system error in words; any other error as it is. */
function readable(path: string, what: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  const known: Record<string, string> = {
    ENOENT: `found no such ${what}; check the path`,
    ENOTDIR: `part of the path is a file, expected folders; check the path`,
    EISDIR: `is a folder, expected a file; check the path`,
    EACCES: `no permission, expected a ${what} that you may use; change its permissions`,
    EPERM: `no permission, expected a ${what} that you may use; change its permissions`,
    ENOSPC: `the disk is full; make room and try again`,
    EMFILE: `too many files are open; close some or raise the limit (ulimit -n)`,
    EBADF: `is closed already, expected an open file`,
    ERR_INVALID_ARG_VALUE: `has a NUL character in its path, expected a plain path`,
  };
  return new UserError(`${path}: ${known[code] ?? `${code}, ${message}`}`, { cause: error });
}
