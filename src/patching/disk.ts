/** Files that are there whole or not at all, and errors of the disk in words. */
import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UserError } from "../models/errors.ts";
import { syncFolder } from "../models/files.node.ts";

/** Writes a file under another name, makes it durable, then gives it its name. */
export async function writeWhole(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString("hex")}.tmp`);
  try {
    await mkdir(dirname(path), { recursive: true });
    await write(temporary);
    const file = await open(temporary, "r+");
    await file.sync().finally(() => file.close());
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw diskError(error, path);
  }
}

/** `writeWhole` of bytes that are at hand. */
export function writeBytes(path: string, bytes: Uint8Array | string): Promise<void> {
  return writeWhole(path, async (temporary) => {
    const file = await open(temporary, "w");
    await file.writeFile(bytes).finally(() => file.close());
  });
}

const causes: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space and give the same command again, it goes on where it stopped",
  EDQUOT: "the disk quota is used up; free some space and give the same command again, it goes on where it stopped",
  EROFS: "the file system is read-only; choose another folder",
  EACCES: "this user may not write there; choose another folder or change its permissions",
  EPERM: "this user may not write there; choose another folder or change its permissions",
  ENOTDIR: "a part of the path is a file, expected folders; choose another folder",
  EEXIST: "there is a file of that name, expected a folder; choose another folder",
  ENOENT: "there is no such file or folder",
  EISDIR: "is a folder, expected a file",
  EIO: "the disk reports an input/output error",
};

/** The disk's error codes as errors for the user; any other error stays what it is. */
export function diskError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const cause = causes[code];
  return cause === undefined || error instanceof UserError ? error : new UserError(`${path}: ${cause} (${code})`);
}
