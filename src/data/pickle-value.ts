/** What a pickle held, made plain: dicts are objects, tensors are arrays of numbers with a shape. */
import { UserError } from "../models/errors.ts";
import { isOpaque, isStateful, type Raw } from "./pickle.ts";
import { bytesOf, numbers, plain, type Storage, type Tensor } from "./pickle-tensors.ts";

export class NumberArray {
  readonly shape: readonly number[];
  readonly data: readonly (number | bigint | boolean)[];

  constructor(shape: readonly number[], data: readonly (number | bigint | boolean)[]) {
    this.shape = shape;
    this.data = data;
  }
}

export type Imported =
  | null
  | boolean
  | number
  | bigint
  | string
  | NumberArray
  | Imported[]
  | { [name: string]: Imported };

const MAX_DEPTH = 64;
/** A small file may repeat what it keeps until nothing can hold it. */
const MAX_VALUES = 2_000_000;
const MAX_NUMBERS = 2 ** 25;

/** @throws UserError for what is too deep, too much, or no value */
export function plainValue(name: string, raw: Raw): Imported {
  let values = 0;
  let count = 0;
  const read = new Map<Storage, ArrayLike<number | bigint>>();
  return walk(raw, 0);

  function walk(value: Raw, depth: number): Imported {
    if (++values > MAX_VALUES) fail(`unfolds to more than ${MAX_VALUES.toLocaleString("en")} values`);
    if (depth > MAX_DEPTH) fail(`is nested deeper than ${MAX_DEPTH}, or holds itself`);
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map((item) => walk(item, depth + 1));
    if (value instanceof Map) {
      const entries = [...value].map(([key, item]) => [nameOf(key), walk(item, depth + 1)] as const);
      return Object.fromEntries(entries);
    }
    if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
    const filled = isStateful(value) ? value.value() : value;
    if (filled && isOpaque(filled) && filled.kind === "tensor") return numbersOf(filled as Tensor);
    return fail("holds an object that is no value, such as a type, a storage or an empty array");
  }

  function nameOf(key: Raw): string {
    if (typeof key === "string" || typeof key === "number") return String(key);
    return fail("has a key that is neither text nor a number");
  }

  function numbersOf({ storage, offset, shape, stride }: Tensor): NumberArray {
    const { bytes, length, element } = storage;
    if (bytes?.length !== length * bytesOf(element)) fail("lacks the numbers of a tensor");
    const size = shape.reduce((a, b) => a * b, 1);
    count += size;
    if (count > MAX_NUMBERS) fail(`unfolds to more than ${MAX_NUMBERS.toLocaleString("en")} numbers`);
    const all = read.get(storage) ?? numbers(element, bytes);
    read.set(storage, all);
    const data = Array.from({ length: size }, (_, i) => plain(all[placeOf(i, offset, shape, stride)]!, element));
    return new NumberArray(shape, data);
  }

  function fail(what: string): never {
    throw new UserError(`${name}: ${what}; it is no result file`);
  }
}

/** Where the number of row-major index `i` stands in the storage. */
function placeOf(i: number, offset: number, shape: readonly number[], stride: readonly number[]): number {
  let place = offset;
  for (let axis = shape.length - 1, rest = i; axis >= 0; axis--) {
    place += (rest % shape[axis]!) * stride[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return place;
}
