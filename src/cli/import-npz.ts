/** The original's list of records as arrays: one a field, samples along the first axis. */
import { zipSync } from "fflate";
import { type Imported, NumberArray } from "../data/pickle-value.ts";
import { UserError } from "../models/errors.ts";
import { type NpyArray, npy } from "../patching/npy.ts";
import { noticeColumns } from "../patching/record.ts";

type Row = { readonly [field: string]: Imported };

/** @throws UserError for anything but a list of dicts of arrays, numbers and text */
export function recordsNpz(name: string, value: Imported): Uint8Array {
  const rows = Array.isArray(value) ? value : [];
  if (rows.length === 0 || !rows.every(isRow))
    throw new UserError(`${name}: is no list of records, which .npz needs; give --out FILE.json`);
  const fields = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const arrays: [string, NpyArray][] = fields.map((field) => [
    field,
    column(
      name,
      field,
      rows.map((row) => row[field] ?? null),
    ),
  ]);
  if (fields.includes("scores")) arrays.push(["columns", { shape: [noticeColumns.length], data: noticeColumns }]);
  const files = arrays.map(([field, array]) => [`${field}.npy`, npy(array)] as const);
  return zipSync(Object.fromEntries(files), { level: 0, mtime: new Date(1980, 0, 1) });
}

const isRow = (value: Imported): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof NumberArray);

function column(name: string, field: string, values: readonly Imported[]): NpyArray {
  if (values.some((value) => typeof value === "string"))
    return { shape: [values.length], data: values.map((value) => (value === null ? "" : String(value))) };
  const blocks = values.map(blockOf);
  const axes = blocks.find((block) => block !== undefined)?.shape.length ?? 0;
  const isOdd = values.some((value, i) => value !== null && blocks[i]?.shape.length !== axes);
  if (isOdd || !/^\w+$/.test(field))
    throw new UserError(
      `${name}: field ${JSON.stringify(field)} is not numbers alone, which .npz needs; give --out FILE.json`,
    );
  return stacked(blocks, axes);
}

/** A number is an array without axes; None has no numbers. */
function blockOf(value: Imported): NumberArray | undefined {
  if (value instanceof NumberArray) return value;
  return typeof value === "number" || typeof value === "boolean" ? new NumberArray([], [value]) : undefined;
}

/** Filled up with NaN to the longest of each axis. */
function stacked(blocks: readonly (NumberArray | undefined)[], axes: number): NpyArray {
  const shape = Array.from({ length: axes }, (_, i) => Math.max(0, ...blocks.map((block) => block?.shape[i] ?? 0)));
  const size = shape.reduce((a, b) => a * b, 1);
  const data = new Float32Array(blocks.length * size).fill(Number.NaN);
  blocks.forEach((block, sample) => {
    block?.data.forEach((value, i) => {
      data[sample * size + place(i, block.shape, shape)] = Number(value);
    });
  });
  const isWhole = axes === 0 && data.every((value) => Number.isInteger(value) && Math.abs(value) < 2 ** 24);
  return { shape: [blocks.length, ...shape], data: isWhole ? Int32Array.from(data) : data };
}

/** Row-major index in a smaller array to that in a larger one. */
function place(i: number, from: readonly number[], to: readonly number[]): number {
  let index = 0;
  let scale = 1;
  for (let axis = from.length - 1, rest = i; axis >= 0; axis--) {
    index += (rest % from[axis]!) * scale;
    rest = Math.floor(rest / from[axis]!);
    scale *= to[axis]!;
  }
  return index;
}
