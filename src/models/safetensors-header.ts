/** The header of a safetensors file: parsed and checked against the size of its file before any tensor is trusted. */
import { CheckpointError, type CheckpointProblem } from "./checkpoint-error.ts";
import { type Json, parseStrictJson } from "./strict-json.ts";

/** Bits of one element, by dtype. */
// biome-ignore format: one line per width
export const dtypeBits = {
  F4: 4,
  F6_E2M3: 6, F6_E3M2: 6,
  BOOL: 8, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8,
  I16: 16, U16: 16, F16: 16, BF16: 16,
  I32: 32, U32: 32, F32: 32,
  C64: 64, F64: 64, I64: 64, U64: 64,
} as const;

export type DType = keyof typeof dtypeBits;

export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Bytes from the start of its file. */
  readonly begin: number;
  readonly bytes: number;
  readonly file: string;
}

export const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 100_000_000;
const MAX_U64 = 2n ** 64n - 1n;

const damaged = "the file is damaged or not whole; download or write it again";
const foreign = "write it again with a safetensors library";

/**
 * Reads the length of the header, in bytes, out of the first 8 bytes.
 * @param size of the file in bytes
 * @throws CheckpointError before anything is allocated
 */
export function headerLength(file: string, first: Uint8Array, size: number): number {
  if (size < LENGTH_BYTES) {
    throw new CheckpointError("HeaderTooSmall", `${file}: has ${size} bytes, expected 8 or more; ${damaged}`);
  }
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    const problem = `has a header of ${length} bytes, expected at most ${MAX_HEADER_BYTES}; is it a safetensors file?`;
    throw new CheckpointError("HeaderTooLarge", `${file}: ${problem}`);
  }
  if (length > size - LENGTH_BYTES) {
    const problem = `has a header of ${length} bytes, expected at most ${size - LENGTH_BYTES}, all that follows; ${damaged}`;
    throw new CheckpointError("InvalidHeaderLength", `${file}: ${problem}`);
  }
  return Number(length);
}

/**
 * Parses and checks a header. Tensors come in the order of their data.
 * @param size of the whole file in bytes
 * @throws CheckpointError of the kind that the reference implementation gives, and DuplicateName
 */
export function parseHeader(file: string, header: Uint8Array, size: number) {
  const top = parse(file, header);
  const dataStart = LENGTH_BYTES + header.byteLength;
  const metadata = readMetadata(file, top.get("__metadata__"));
  const found: TensorInfo[] = [];
  for (const [name, entry] of top) if (name !== "__metadata__") found.push(readEntry(file, name, entry));
  found.sort((a, b) => a.begin - b.begin || a.bytes - b.bytes);
  const tensors = new Map<string, TensorInfo>();
  let end = 0;
  for (const info of found) {
    checkPlace(info, end);
    end += info.bytes;
    tensors.set(info.name, { ...info, begin: dataStart + info.begin });
  }
  if (dataStart + end !== size) {
    const problem = `has ${size} bytes, expected ${dataStart + end} as its header says; ${damaged}`;
    throw new CheckpointError("MetadataIncompleteBuffer", `${file}: ${problem}`);
  }
  return { metadata, tensors };
}

function parse(file: string, header: Uint8Array): ReadonlyMap<string, Json> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    throw new CheckpointError("InvalidHeader", `${file}: its header is not UTF-8, expected JSON in UTF-8; ${damaged}`);
  }
  const top = parseStrictJson(text, (problem, duplicate) => {
    const kind = duplicate === undefined ? "InvalidHeaderDeserialization" : "DuplicateName";
    throw new CheckpointError(
      kind,
      `${file}: its header ${problem}${duplicate === undefined ? "" : ", expected once"}; ${foreign}`,
    );
  });
  if (!(top instanceof Map)) deserialization(file, "its header", top, "an object");
  return top as ReadonlyMap<string, Json>;
}

function readMetadata(file: string, entry: Json | undefined): ReadonlyMap<string, string> {
  if (entry === undefined || entry === null) return new Map();
  if (!(entry instanceof Map)) return deserialization(file, "__metadata__", entry, "an object of strings");
  for (const [key, text] of entry) {
    if (typeof text !== "string") deserialization(file, `__metadata__ ${JSON.stringify(key)}`, text, "a string");
  }
  return entry;
}

/** Here `begin` counts from the start of the data. Fields that the format does not know are passed over. */
function readEntry(file: string, name: string, entry: Json): TensorInfo {
  if (!(entry instanceof Map)) return deserialization(file, name, entry, "an object");
  const dtype = entry.get("dtype");
  if (typeof dtype !== "string" || !Object.hasOwn(dtypeBits, dtype)) {
    return deserialization(file, `${plain(name)} dtype`, dtype, `one of ${Object.keys(dtypeBits).join(" ")}`);
  }
  const shape = wholeNumbers(file, name, "shape", entry.get("shape"));
  const offsets = wholeNumbers(file, name, "data_offsets", entry.get("data_offsets"));
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || offsets.length !== 2) {
    return deserialization(file, `${plain(name)} data_offsets`, entry.get("data_offsets"), "two numbers");
  }
  return { name, dtype: dtype as DType, shape, begin, bytes: end - begin, file };
}

function wholeNumbers(file: string, name: string, field: string, list: Json | undefined): readonly number[] {
  if (!Array.isArray(list)) return deserialization(file, `${plain(name)} ${field}`, list, "whole numbers in an array");
  for (const item of list) {
    if (typeof item !== "number" || !Number.isInteger(item) || item < 0) {
      return deserialization(file, `${plain(name)} ${field}`, list, "whole numbers in digits");
    }
    if (!Number.isSafeInteger(item)) {
      const problem = `${plain(name)} has ${item} in ${field}, expected numbers up to 2^53 - 1; ${foreign}`;
      throw new CheckpointError("ValidationOverflow", `${file}: ${problem}`);
    }
  }
  return list;
}

/** The data must lie without hole or overlap, and be as long as dtype and shape say. */
function checkPlace({ file, name, dtype, shape, begin, bytes }: TensorInfo, end: number): void {
  const refuse = (kind: CheckpointProblem, problem: string) => {
    throw new CheckpointError(kind, `${file}: ${plain(name)} ${problem}; ${foreign}`);
  };
  if (begin !== end || bytes < 0) {
    refuse(
      "InvalidOffset",
      `has data_offsets [${begin}, ${begin + bytes}], expected to begin at ${end}, where the tensor before ends`,
    );
  }
  let bits = 1n;
  for (const factor of [...shape, dtypeBits[dtype]]) {
    bits *= BigInt(factor);
    if (bits > MAX_U64)
      refuse("ValidationOverflow", `is ${dtype} of shape ${show(shape)}, expected fewer than 2^64 bits`);
  }
  if (bits % 8n !== 0n) {
    refuse("MisalignedSlice", `is ${dtype} of shape ${show(shape)}, ${bits} bits, expected whole bytes`);
  }
  if (BigInt(bytes) !== bits / 8n) {
    refuse("TensorInvalidInfo", `has ${bytes} bytes, expected ${bits / 8n} for ${dtype} of shape ${show(shape)}`);
  }
}

function deserialization(file: string, what: string, got: Json | undefined, expected: string): never {
  const problem = `${what} is ${show(got)}, expected ${expected}; ${foreign}`;
  throw new CheckpointError("InvalidHeaderDeserialization", `${file}: ${problem}`);
}

/** A name as it stands if it is a usual one, else in quotes and cut, so that no damaged file floods the message. */
const plain = (name: string): string => (/^[\w./-]{1,200}$/.test(name) ? name : JSON.stringify(name.slice(0, 60)));

function show(got: Json | undefined): string {
  if (got === undefined) return "missing";
  if (got instanceof Map) return "an object";
  if (Array.isArray(got)) return `[${got.slice(0, 8).map(String).join(", ")}${got.length > 8 ? ", ..." : ""}]`;
  return typeof got === "string" ? JSON.stringify(got.slice(0, 60)) : String(got);
}
