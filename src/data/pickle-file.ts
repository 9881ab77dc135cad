/** The three containers of results: a plain pickle, PyTorch's old file of pickles in a row, and its zip file. */
import { type Unzipped, unzipSync } from "fflate";
import { UserError } from "../models/errors.ts";
import { isOpaque, type PickleHost, type Raw, readPickle } from "./pickle.ts";
import { Scanner } from "./pickle-scanner.ts";
import { bytesOf, list, type Storage, type StorageType, tensorNames, whole } from "./pickle-tensors.ts";
import { type Imported, plainValue } from "./pickle-value.ts";
import { readBytes } from "./table.ts";

/** Starts PyTorch's old files. */
const MAGIC = 0x1950a86a20f9469cfc6cn;

/** @throws UserError for anything but results; nothing in the file is ever run */
export async function readPickleFile(path: string): Promise<Imported> {
  return parsePickle(path, await readBytes(path));
}

export function parsePickle(name: string, bytes: Uint8Array): Imported {
  if (bytes.length === 0) throw new UserError(`${name}: is empty, expected a pickled result file; copy it again`);
  const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b;
  return plainValue(name, isZip ? zipFile(name, bytes) : pickleFile(name, bytes));
}

function pickleFile(name: string, bytes: Uint8Array): Raw {
  const scanner: Scanner = new Scanner(name, bytes);
  const names = tensorNames((inner) => legacyFile(`${name}, a tensor in it`, inner));
  const noStorage = () => scanner.fail("names a storage outside of it");
  const first = readPickle(scanner, { find: (full) => names.get(full), persistent: noStorage });
  if (first === MAGIC) return legacyFile(name, bytes);
  if (scanner.left > 0) scanner.fail(`ends, but ${scanner.left} more bytes follow`);
  return first;
}

/** Magic number, version, system, the value, the keys of its storages, then their lengths and bytes in that order. */
function legacyFile(name: string, bytes: Uint8Array): Raw {
  const scanner: Scanner = new Scanner(name, bytes);
  const storages = new Map<string, Storage>();
  const host = torchHost(storages, () => undefined);
  if (readPickle(scanner, host) !== MAGIC) scanner.fail("starts as no file of PyTorch");
  readPickle(scanner, host);
  readPickle(scanner, host);
  const value = readPickle(scanner, host);
  const keys = readPickle(scanner, host);
  if (!Array.isArray(keys)) scanner.fail("lists no storages");
  for (const key of keys) {
    const storage = storages.get(String(key));
    const length = scanner.unsigned(8);
    if (storage === undefined || length !== storage.length)
      scanner.fail(`brings ${length} numbers of a storage of ${storage?.length ?? "no"} numbers`);
    storage.bytes = scanner.bytes(length * bytesOf(storage.element));
  }
  return value;
}

/** `NAME/data.pkl` and `NAME/data/KEY`, stored and not compressed. */
function zipFile(name: string, bytes: Uint8Array): Raw {
  let files: Unzipped;
  try {
    files = unzipSync(bytes, {
      filter(file) {
        if (file.compression === 0 && file.originalSize === file.size && file.size <= bytes.length) return true;
        throw new UserError(`${name}: holds ${JSON.stringify(file.name)} compressed, PyTorch stores it; save it again`);
      },
    });
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${name}: is a damaged zip file (${(error as Error).message}); copy it again`);
  }
  const main = Object.keys(files).find((file) => /^[^/]*\/data\.pkl$/.test(file));
  if (main === undefined) throw new UserError(`${name}: is a zip file without data.pkl, expected one of PyTorch's`);
  const prefix = main.slice(0, -"data.pkl".length);
  const order = files[`${prefix}byteorder`];
  if (order && Buffer.from(order).toString() !== "little")
    throw new UserError(`${name}: was saved on a big-endian machine, expected little-endian numbers; convert it there`);
  const scanner = new Scanner(`${name}, ${main}`, files[main]!);
  return readPickle(
    scanner,
    torchHost(new Map(), (key) => files[`${prefix}data/${key}`]),
  );
}

/** Storages by key: `("storage", type, key, place, length)`. */
function torchHost(storages: Map<string, Storage>, bytes: (key: string) => Uint8Array | undefined): PickleHost {
  const names = tensorNames();
  return {
    find: (full) => names.get(full),
    persistent(id) {
      const [kind, type, key, , length] = list(id);
      if (kind !== "storage" || typeof key !== "string" || !isStorageType(type)) throw new TypeError("no storage");
      const made: Storage = storages.get(key) ?? {
        kind: "storage",
        element: type.element,
        length: whole(length),
        bytes: bytes(key),
      };
      storages.set(key, made);
      return made;
    },
  };
}

const isStorageType = (value: Raw | undefined): value is StorageType =>
  value !== undefined && isOpaque(value) && value.kind === "type" && "element" in value;
