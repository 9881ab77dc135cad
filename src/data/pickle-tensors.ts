/** What PyTorch and NumPy put into pickles: storages, and views of them by shape and stride. */
import { widenBfloat, widenHalf } from "../models/half.ts";
import type { Named, Opaque, Raw, Stateful } from "./pickle.ts";

/** The type of one number, as NumPy writes it, all little-endian; `bf` is bfloat16. */
export type Element = "f2" | "bf" | "f4" | "f8" | "i1" | "i2" | "i4" | "i8" | "u1" | "b1";

export interface Storage extends Opaque {
  readonly kind: "storage";
  readonly element: Element;
  readonly length: number;
  /** Files of PyTorch bring them later than the views. */
  bytes: Uint8Array | undefined;
}

export interface StorageType extends Opaque {
  readonly kind: "type";
  readonly element: Element;
}

export interface Tensor extends Opaque {
  readonly kind: "tensor";
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  /** In numbers, not bytes. */
  readonly stride: readonly number[];
}

export const bytesOf = (element: Element): number => (element === "bf" ? 2 : Number(element[1]));

const storageTypes: Readonly<Record<string, Element>> = {
  HalfStorage: "f2",
  BFloat16Storage: "bf",
  FloatStorage: "f4",
  DoubleStorage: "f8",
  CharStorage: "i1",
  ShortStorage: "i2",
  IntStorage: "i4",
  LongStorage: "i8",
  ByteStorage: "u1",
  BoolStorage: "b1",
};

const dtypes: Readonly<Record<string, Element>> = {
  ...Object.fromEntries((["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"] as const).map((name) => [name, name])),
  "?": "b1",
};

/** All names that a result file may call; a wrong argument throws a TypeError. */
export function tensorNames(loadStorage?: (bytes: Uint8Array) => Raw): ReadonlyMap<string, Named | Opaque> {
  const names = new Map<string, Named | Opaque>();
  const add = (name: string, call: Named["call"]) => void names.set(name, { kind: "named", name, call });
  for (const [name, element] of Object.entries(storageTypes)) {
    const type: StorageType = { kind: "type", element };
    names.set(`torch.${name}`, type);
  }
  names.set("numpy.ndarray", { kind: "type" });
  add("collections.OrderedDict", () => new Map());
  add("torch.Size", ([shape]) => list(shape));
  add("torch._utils._rebuild_tensor_v2", ([storage, offset, shape, stride]) =>
    tensor(storageOf(storage), whole(offset), list(shape).map(whole), list(stride).map(whole)),
  );
  if (loadStorage) add("torch.storage._load_from_bytes", ([bytes]) => loadStorage(bytesIn(bytes)));
  add("_codecs.encode", ([text, encoding]) => {
    if (typeof text !== "string" || encoding !== "latin1") throw new TypeError("expected Latin-1 text");
    return new Uint8Array(Buffer.from(text, "latin1"));
  });
  add("numpy.dtype", ([name]) => dtype(name));
  for (const core of ["numpy.core", "numpy._core"]) {
    add(`${core}.multiarray._reconstruct`, () => ndarray());
    add(`${core}.multiarray.scalar`, ([type, bytes]) => scalar(elementOf(type), bytesIn(bytes)));
    add(`${core}.numeric._frombuffer`, ([bytes, type, shape, order]) =>
      contiguous(elementOf(type), bytesIn(bytes), list(shape).map(whole), order === "F"),
    );
  }
  return names;
}

function tensor(storage: Storage, offset: number, shape: number[], stride: number[]): Tensor {
  const last = shape.reduce((at, length, i) => at + (length - 1) * stride[i]!, offset);
  const size = shape.reduce((a, b) => a * b, 1);
  const fits = stride.length === shape.length && (size === 0 || last < storage.length) && size <= storage.length;
  if (!fits) throw new RangeError("a view reaches beyond its storage");
  return { kind: "tensor", storage, offset, shape, stride };
}

/** A whole storage of its own; `columns` first for Fortran's order. */
function contiguous(element: Element, bytes: Uint8Array, shape: number[], columns: boolean): Tensor {
  const length = bytes.length / bytesOf(element);
  const inner = (i: number) => (columns ? shape.slice(0, i) : shape.slice(i + 1));
  const stride = shape.map((_, i) => inner(i).reduce((a, b) => a * b, 1));
  return tensor({ kind: "storage", element, length: Math.floor(length), bytes }, 0, shape, stride);
}

interface DType extends Stateful {
  readonly element: Element;
}

function dtype(name: Raw | undefined): DType {
  const element = typeof name === "string" ? dtypes[name] : undefined;
  if (element === undefined) throw new TypeError(`a dtype of ${String(name)}`);
  return {
    kind: "stateful",
    element,
    build(state) {
      const [, order] = list(state);
      if (order !== "<" && order !== "|") throw new TypeError(`numbers in order ${String(order)}`);
    },
    value: () => undefined,
  };
}

function ndarray(): Stateful {
  let array: Tensor | undefined;
  return {
    kind: "stateful",
    build(state) {
      const [, shape, type, columns, bytes] = list(state);
      array = contiguous(elementOf(type), bytesIn(bytes), list(shape).map(whole), columns === true);
    },
    value: () => array,
  };
}

function scalar(element: Element, bytes: Uint8Array): Raw {
  if (bytes.length !== bytesOf(element)) throw new TypeError("a number of another size");
  return plain(numbers(element, bytes)[0]!, element);
}

/** float16 and bfloat16 become float32, exactly. */
export function numbers(element: Element, bytes: Uint8Array): ArrayLike<number | bigint> {
  const buffer = Uint8Array.from(bytes).buffer;
  if (element === "f2") return widenHalf(new Uint16Array(buffer));
  if (element === "bf") return widenBfloat(new Uint16Array(buffer));
  const views = {
    f4: Float32Array,
    f8: Float64Array,
    i1: Int8Array,
    i2: Int16Array,
    i4: Int32Array,
    i8: BigInt64Array,
    u1: Uint8Array,
    b1: Uint8Array,
  };
  return new views[element](buffer);
}

/** A truth value or a number; a bigint only where a number would round. */
export function plain(value: number | bigint, element: Element): boolean | number | bigint {
  if (element === "b1") return value !== 0;
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

export function list(value: Raw | undefined): Raw[] {
  if (Array.isArray(value)) return value;
  throw new TypeError("expected a tuple");
}

export function whole(value: Raw | undefined): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw new TypeError("expected a whole number");
}

export function bytesIn(value: Raw | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError("expected bytes");
}

export function storageOf(value: Raw | undefined): Storage {
  const storage = value as Storage | undefined;
  if (storage?.kind === "storage") return storage;
  throw new TypeError("expected a storage");
}

function elementOf(value: Raw | undefined): Element {
  const type = value as DType | undefined;
  if (type?.kind === "stateful" && "element" in type) return type.element;
  throw new TypeError("expected a dtype");
}
