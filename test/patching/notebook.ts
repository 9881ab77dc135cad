/** The circuit rule as NOTICE.md 10 words it, over records as they are, one number at a time. */
import type { Compat, RunRecord, SampleRecord } from "../../src/patching/record.ts";

type Column = "p_patched" | "p_diff" | "logit_diff" | "effect";

export function notebook(
  records: readonly RunRecord[],
  { task, mode, kind }: { task: string; mode: string; kind: string },
  column: Column,
  compat: Compat,
) {
  const samples = records.filter(
    (record): record is SampleRecord =>
      !("failed" in record) && record.task === task && record.mode === mode && record.answer_token !== null,
  );
  const tables = samples.map(({ tables }) => tables.find((table) => table.kind === kind && table.heads !== null)!);
  const { layers, heads } = tables[0]!;
  const strength: (number | null)[] = [];
  let missing = 0;
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads!.length; head++) {
      const sizes = samples.flatMap(({ answer_token }, s) => {
        const { scores, at } = tables[s]!;
        const row = at ? at.indexOf(answer_token!) : answer_token!;
        const value = Number(scores[column][(row * layers + layer) * heads!.length + head] ?? Number.NaN);
        if (Number.isFinite(value)) return [Math.abs(value)];
        missing++;
        return compat === "upstream" ? [0] : [];
      });
      strength.push(sizes.length === 0 ? null : sizes.reduce((sum, size) => sum + size, 0) / sizes.length);
    }
  }
  const known = strength.filter((value) => value !== null);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length;
  const threshold = mean + 2 * Math.sqrt(variance);
  const important = strength.flatMap((value, i) => {
    const name = `L${Math.floor(i / heads!.length)}.H${heads![i % heads!.length]}`;
    return value !== null && value >= threshold ? [name] : [];
  });
  return { strength, threshold, important, missing, samples: samples.length };
}
