/** Which weights a forward asks for: found by a dry run of it. */
import type { Table } from "../kernels/gather.ts";
import { size, type Tensor } from "../kernels/tensor.ts";
import type { Weights } from "./weights.ts";

export interface Wanted {
  readonly name: string;
  /** A bias is loaded with its matrix. */
  readonly form: "matrix" | "bias" | "vector" | "table";
  readonly shape: readonly number[];
  readonly bias?: string;
}

/** What a forward asks for. */
export interface Asked {
  readonly wanted: ReadonlyMap<string, Wanted>;
  /** Names of matrices that were asked for side by side. */
  readonly joined: readonly (readonly string[])[];
}

/** Weights without values, for a dry run; notes what was asked for, in order. */
export function wantedWeights(): Asked & { weights: Weights } {
  const wanted = new Map<string, Wanted>();
  const joined: string[][] = [];
  const want = (one: Wanted) => {
    wanted.set(one.name, { ...wanted.get(one.name), ...one });
    return { id: 0, bytes: 4 * size(one.shape) };
  };
  const weights: Weights = {
    linears(names, outputs, inputs) {
      for (const { weight, bias } of names) {
        want({ name: weight, form: "matrix", shape: [outputs, inputs], ...(bias !== null && { bias }) });
        if (bias !== null) want({ name: bias, form: "bias", shape: [outputs] });
      }
      if (names.length > 1) joined.push(names.map(({ weight }) => weight));
      const all = names.length * outputs;
      const memory = { id: 0, bytes: 4 * all * inputs };
      const bias = { label: "bias", shape: [all], memory };
      const shape = { stored: all, first: 0, outputs: all, inputs };
      return [{ layers: names.length, weight: { label: names[0]!.weight, ...shape, format: "float32", memory }, bias }];
    },
    vector: (name, shape): Tensor => ({ label: name, shape, memory: want({ name, form: "vector", shape }) }),
    table: (name, entries, width): Table => ({
      label: name,
      entries,
      width,
      half: false,
      parts: [want({ name, form: "table", shape: [entries, width] })],
      partEntries: entries,
    }),
  };
  return { weights, wanted, joined };
}
