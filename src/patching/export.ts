/** A run's scores in further formats, from run.json and results.jsonl alone. */
import { join } from "node:path";
import { saveSafetensors, type TensorToSave } from "../models/save-safetensors.node.ts";
import { csvColumns, scoreRows, textWriter } from "./csv.ts";
import { writeWhole } from "./disk.ts";
import { shortest } from "./float32.ts";
import { readEntries, scanLog } from "./log.ts";
import { littleEndian, type NpyArray } from "./npy.ts";
import type { Json, SampleRecord } from "./record.ts";
import { scoreArrays } from "./score-arrays.ts";
import { readSettings } from "./settings.ts";

export const exportFormats = ["safetensors", "json"] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** Writes scores.FORMAT into the run's folder and returns its path. The same run gives the same bytes; needs no lock. */
export async function exportScores(folder: string, format: ExportFormat): Promise<string> {
  const path = join(folder, `scores.${format}`);
  await (format === "json" ? exportJson : exportSafetensors)(folder, path);
  return path;
}

async function* samplesOf(folder: string): AsyncGenerator<SampleRecord> {
  const log = join(folder, "results.jsonl");
  for await (const record of readEntries(log, (await scanLog(log)).entries)) if (!("failed" in record)) yield record;
}

/** The arrays of scores.npz; safetensors has no text, so names are JSON in the metadata, under the same keys. */
async function exportSafetensors(folder: string, path: string): Promise<void> {
  const { model } = await readSettings(folder);
  const scores = scoreArrays();
  for await (const record of samplesOf(folder)) scores.add(record);
  const tensors: TensorToSave[] = [];
  const metadata: Record<string, string> = { model: model.name };
  for (const [name, { shape, data }] of Object.entries(scores.arrays())) {
    if (data instanceof Float32Array) tensors.push({ name, dtype: "F32", shape, data: littleEndian(data) });
    else if (data instanceof Int32Array) tensors.push({ name, dtype: "I32", shape, data: littleEndian(data) });
    else metadata[name] = JSON.stringify(nested(data, shape));
  }
  await saveSafetensors(path, tensors, metadata);
}

/** Lists in lists, as the shape says. */
function nested(texts: Extract<NpyArray["data"], readonly string[]>, [length, ...inner]: readonly number[]): unknown[] {
  if (inner.length === 0) return [...texts];
  const size = texts.length / length!;
  return Array.from({ length: length! }, (_, i) => nested(texts.slice(i * size, (i + 1) * size), inner));
}

/** A list of the rows of scores.csv, each an object with the columns' names; what is empty there is null. */
async function exportJson(folder: string, path: string): Promise<void> {
  await readSettings(folder);
  await writeWhole(path, async (temporary) => {
    const file = textWriter(temporary);
    try {
      let before = "[\n";
      for await (const record of samplesOf(folder)) {
        for (const [place, scores] of scoreRows(record)) {
          const cells = [...place, ...scores.map(decimal)];
          file.write(before + JSON.stringify(Object.fromEntries(csvColumns.map((column, i) => [column, cells[i]]))));
          before = ",\n";
        }
      }
      file.write(before === "[\n" ? "[]\n" : "\n]\n");
    } finally {
      file.close();
    }
  });
}

/** As few digits as give the same float32. */
const decimal = (value: Json): Json => (typeof value === "number" ? Number(shortest(value)) : value);
