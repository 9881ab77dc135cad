/** lens.csv: what each run would answer if the model ended after each layer, one row per sample, run and layer. */
import { csvRow } from "../data/table.ts";
import type { CsvTable } from "./csv.ts";
import { shortest } from "./float32.ts";
import type { SampleRecord } from "./record.ts";

export const lensTable: CsvTable = {
  columns: ["sample", "task", "mode", "run", "layer", "p", "logit_diff", "top1", "top1_text"],
  rows: lensRows,
};

function* lensRows({ sample, task, mode, lens }: SampleRecord): Generator<string> {
  if (!lens) return;
  for (const run of ["clean", "corrupt"] as const) {
    const { p, logit_diff, top1, top1_text } = lens[run];
    for (let layer = 0; layer < p.length; layer++) {
      const numbers = [shortest(p[layer]!), shortest(logit_diff[layer]!), top1[layer]!];
      yield csvRow([sample, task, mode, run, layer, ...numbers, top1_text[layer]!]);
    }
  }
}
