import { join } from "node:path";
import { UserError } from "../models/errors.ts";
import { settingOf, type Universal } from "../patching/circuit/compare.ts";
import { type Circuits, findCircuits, universalOf } from "../patching/circuit/document.ts";
import type { Circuit, HeadScore } from "../patching/circuit.ts";
import { noticeColumns } from "../patching/record.ts";
import { plural } from "../patching/report/html.ts";
import type { Arguments, Command } from "./command.ts";
import { oneOf, wholeNumber } from "./command.ts";

export const command: Command = {
  positionals: ["RUN…"],
  options: {
    column: { value: "COLUMN", help: `${noticeColumns.join(", ")} (logit_diff; upstream: p_patched)` },
    sigma: { value: "X", help: "standard deviations above the mean of all heads (2)" },
    compat: { value: "COMPAT", help: "corrected or upstream: missing scores count as 0 (default: as the runs)" },
    bootstrap: { value: "N", help: "resamples for the intervals (1000)" },
    seed: { value: "N", help: "of resamples, halves and signs (1)" },
    out: { value: "FOLDER", help: "also write circuits.json, circuits.csv, circuits.html and figures/" },
  },
  notes: [
    "A head is important where its mean absolute score at the correct answer's token is at least the mean of all",
    "heads plus X population standard deviations; universal where it is so in every task and corruption. Scores of",
    "noising runs (but p_patched) count from the clean run, which is the one that is patched there.",
    "Needs sweeps with --heads all, and no device.",
  ],
  async run(args) {
    const found = await findCircuits(args.positionals, {
      sigma: sigmaOf(args),
      bootstrap: wholeNumber(args, "bootstrap", 1) ?? 1000,
      seed: seedOf(args),
      ...(args.value("column") !== undefined && { column: oneOf(args, "column", noticeColumns) }),
      ...(args.value("compat") !== undefined && { compat: oneOf(args, "compat", ["corrected", "upstream"]) }),
    });
    const out = args.value("out");
    if (out !== undefined) {
      const { writeCircuits } = await import("../patching/circuit-report.ts");
      await writeCircuits(out, found);
    }
    if (args.flag("json")) console.log(JSON.stringify(found));
    else console.log([...found.circuits.flatMap((one) => circuitLines(one, found)), ...endLines(found)].join("\n"));
    if (out !== undefined) console.error(join(out, "circuits.html"));
    return 0;
  },
};

function sigmaOf(args: Arguments): number {
  const text = args.value("sigma") ?? "2";
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new UserError(`--sigma: got "${text}", expected a number of at least 0, such as 1.5`);
}

function seedOf(args: Arguments): number {
  const seed = wholeNumber(args, "seed") ?? 1;
  if (seed < 2 ** 32) return seed;
  throw new UserError(`--seed: got ${seed}, expected a whole number below 4294967296`);
}

function circuitLines(circuit: Circuit, { column, sigma, universal }: Circuits): string[] {
  const { kind, direction, samples, threshold, scores, missing, left_out } = circuit;
  const strong = scores.filter(({ important }) => important).sort((a, b) => b.strength! - a.strength!);
  const everywhere = universalOf(universal, circuit);
  return [
    `${settingOf(circuit)}, ${kind}, ${direction}: ${plural(samples, "sample")}, ${strong.length} of ${scores.length} heads with ` +
      `mean |${column}| of at least ${number(threshold)} (${sigma} sigma)`,
    ...Object.entries(left_out).map(([reason, count]) => `  ${plural(count, "sample")} left out: ${reason}`),
    ...(missing > 0 ? [`  ${missing} scores missing`] : []),
    ...(strong.length > 0 ? [line(["head", "strength", "mean", "95 %", "", "q", "halves"])] : []),
    ...strong.map((one) => headLine(one, everywhere.includes(one.name))),
    "",
  ];
}

function headLine(one: HeadScore, universal: boolean): string {
  const [low, high] = one.interval ?? [null, null];
  const cells = [one.name, ...[one.strength, one.mean, low, high, one.q, one.stability].map(number)];
  return line([...cells, ...(universal ? ["universal"] : []), ...(one.published ? ["published"] : [])]);
}

const line = ([name, ...cells]: readonly string[]): string =>
  `  ${name!.padEnd(8)}${cells.map((cell) => cell.padStart(10)).join("")}`;

/** Four digits. */
const number = (value: number | null): string => (value === null ? "none" : String(Number(value.toPrecision(4))));

function endLines({ universal, two_ways, without }: Circuits): string[] {
  return [
    ...without.map(
      ({ task, mode, kind, left_out }) =>
        `${task} ${mode}, ${kind}: no usable sample (${Object.keys(left_out).join("; ")})`,
    ),
    ...two_ways.map(
      ({ task, mode, kind, both, denoising_only, noising_only }) =>
        `${task} ${mode}, ${kind}: both directions ${names(both)}; denoising only ${names(denoising_only)}; noising only ${names(noising_only)}`,
    ),
    ...universal.map(universalLine),
  ];
}

function universalLine({ kind, direction, across, heads }: Universal): string {
  if (heads === null) return `universal, ${kind}, ${direction}: unknown; only ${across[0]} was swept, it takes two`;
  return `universal, ${kind}, ${direction}, in ${across.join(", ")}: ${names(heads)}`;
}

const names = (heads: readonly string[]): string => heads.join(" ") || "none";
