/** A run's scores as arrays [sample, token, layer(, head), 4] of the original's four columns, with the names of all axes. */
import { layerOf } from "./layer.ts";
import type { NpyArray, NpyArrays } from "./npy.ts";
import { type Json, noticeColumns, type SampleRecord, scoreNames, type Table } from "./record.ts";

/** Scores of one kind, samples one after another. */
interface Stack {
  readonly table: Table;
  readonly samples: {
    readonly at: number;
    readonly tokens: number;
    /** Which tokens of the clean prompt the rows are, where they are not all. */
    readonly places: readonly number[] | undefined;
    readonly scores: Float32Array;
  }[];
}

/** Samples of one task and mode, and their tables. */
interface Part {
  readonly records: Omit<SampleRecord, "tables">[];
  readonly stacks: Map<string, Stack>;
}

/** Gathers records, in order, into the arrays of scores.npz and scores.safetensors. */
export function scoreArrays(): { add(record: SampleRecord): void; arrays(): NpyArrays } {
  const parts = new Map<string, Part>();
  return {
    add({ tables, ...record }) {
      const name = `${record.task}.${record.mode}`;
      const part: Part = parts.get(name) ?? { records: [], stacks: new Map() };
      parts.set(name, part);
      for (const table of tables.filter(({ dropped }) => dropped === undefined)) {
        const key = `${name}.${table.kind}.${table.heads ? "heads" : "whole"}${table.patches ? ".patches" : ""}`;
        const stack: Stack = part.stacks.get(key) ?? { table: { ...table, scores: emptyScores }, samples: [] };
        part.stacks.set(key, stack);
        const { tokens, at: places } = table;
        stack.samples.push({ at: part.records.length, tokens, places, scores: interleaved(table) });
      }
      part.records.push(record);
    },
    arrays() {
      const arrays: NpyArrays = { columns: { shape: [noticeColumns.length], data: noticeColumns } };
      for (const [name, part] of [...parts].sort(([a], [b]) => (a < b ? -1 : 1))) {
        Object.assign(arrays, sampleArrays(name, part.records));
        for (const [key, stack] of part.stacks) Object.assign(arrays, tableArrays(key, stack, part.records.length));
      }
      return arrays;
    },
  };
}

const emptyScores = Object.fromEntries(scoreNames.map((name) => [name, []])) as unknown as Table["scores"];

function interleaved({ tokens, layers, heads, scores }: Table): Float32Array {
  const cells = tokens * layers * (heads?.length ?? 1);
  const values = new Float32Array(cells * noticeColumns.length);
  noticeColumns.forEach((column, c) => {
    for (let i = 0; i < cells; i++) values[i * noticeColumns.length + c] = number(scores[column][i] ?? null);
  });
  return values;
}

const number = (value: Json): number => (value === null ? Number.NaN : Number(value));

function sampleArrays(name: string, records: Part["records"]): NpyArrays {
  const count = records.length;
  const longest = Math.max(...records.map(({ tokens }) => tokens.length));
  const words = (field: "text" | "role") =>
    records.flatMap(({ tokens }) => Array.from({ length: longest }, (_, i) => tokens[i]?.[field] ?? ""));
  return {
    [`${name}.samples`]: { shape: [count], data: Int32Array.from(records, ({ sample }) => sample) },
    [`${name}.keys`]: { shape: [count], data: records.map(({ key }) => key) },
    [`${name}.groups`]: { shape: [count], data: records.map(({ group }) => group) },
    [`${name}.correct_first`]: {
      shape: [count],
      data: Int32Array.from(records, ({ correct_first }) => Number(correct_first)),
    },
    [`${name}.token_counts`]: { shape: [count], data: Int32Array.from(records, ({ tokens }) => tokens.length) },
    [`${name}.token_text`]: { shape: [count, longest], data: words("text") },
    [`${name}.token_roles`]: { shape: [count, longest], data: words("role") },
    [`${name}.answer_token`]: {
      shape: [count],
      data: Int32Array.from(records, ({ answer_token }) => answer_token ?? -1),
    },
    [`${name}.low_score`]: {
      shape: [count, noticeColumns.length],
      data: Float32Array.from(records.flatMap(({ low_score }) => low_score.map(number))),
    },
  };
}

/** Shorter prompts, and samples without this table, are filled up with NaN. */
function tableArrays(key: string, { table, samples }: Stack, count: number): NpyArrays {
  const tokens = Math.max(...samples.map((sample) => sample.tokens));
  const inner = [table.layers, ...(table.heads ? [table.heads.length] : []), noticeColumns.length];
  const size = tokens * inner.reduce((product, length) => product * length, 1);
  const values = new Float32Array(count * size).fill(Number.NaN);
  for (const { at, scores } of samples) values.set(scores, at * size);
  return {
    [key]: { shape: [count, tokens, ...inner], data: values },
    ...(samples.some(({ places }) => places) && { [`${key}.tokens`]: placesArray(samples, count, tokens) }),
    [`${key}.sites`]: { shape: [table.layers], data: table.sites },
    [`${key}.layers`]: { shape: [table.layers], data: Int32Array.from(table.sites, layerOf) },
    ...(table.heads ? { [`${key}.heads`]: { shape: [table.heads.length], data: Int32Array.from(table.heads) } } : {}),
  };
}

/** [sample, row]: the token of the clean prompt that a row is; -1 where there is no row. */
function placesArray(samples: Stack["samples"], count: number, tokens: number): NpyArray {
  const data = new Int32Array(count * tokens).fill(-1);
  for (const { at, tokens: own, places } of samples)
    for (let row = 0; row < own; row++) data[at * tokens + row] = places?.[row] ?? row;
  return { shape: [count, tokens], data };
}
