import { basename } from "node:path";
import { saveFile } from "#files";
import { readPickleFile } from "../data/pickle-file.ts";
import { type Imported, NumberArray } from "../data/pickle-value.ts";
import { UserError } from "../models/errors.ts";
import type { Command } from "./command.ts";
import { recordsNpz } from "./import-npz.ts";

export const command: Command = {
  positionals: ["FILE.pkl"],
  options: {
    out: {
      value: "FILE",
      help: ".json: all values; .npz: one array a field, samples one after another (default: JSON)",
    },
  },
  notes: [
    "Reads lists, dicts, numbers, text, and arrays of PyTorch and NumPy. A pickle is a program: here nothing of it is",
    "run, and any other name that it asks for is refused. NaN and infinities are text in JSON.",
  ],
  async run(args) {
    const [path] = args.positionals as [string];
    const out = args.value("out");
    if (out !== undefined && !/\.(?:json|npz)$/i.test(out))
      throw new UserError(`--out: got "${out}", expected a file that ends in .json or .npz`);
    const value = await readPickleFile(path);
    if (out === undefined) {
      console.log(JSON.stringify(jsonOf(value)));
      return 0;
    }
    const npz = /\.npz$/i.test(out);
    await saveFile(out, npz ? recordsNpz(basename(path), value) : Buffer.from(`${JSON.stringify(jsonOf(value))}\n`));
    const summary = { out, records: Array.isArray(value) ? value.length : 1 };
    if (args.flag("json")) console.log(JSON.stringify(summary));
    else console.log(`${summary.records} ${summary.records === 1 ? "record" : "records"} in ${out}`);
    return 0;
  },
};

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Arrays as nested lists; what JSON has no number for as text. */
export function jsonOf(value: Imported): Json {
  if (value instanceof NumberArray) return nested(value.shape, value.data.map(jsonOf));
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, jsonOf(item)]));
}

function nested([length, ...inner]: readonly number[], data: readonly Json[]): Json {
  if (length === undefined) return data[0] ?? null;
  const size = inner.reduce((a, b) => a * b, 1);
  return Array.from({ length }, (_, i) => nested(inner, data.slice(i * size, (i + 1) * size)));
}
