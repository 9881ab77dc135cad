/** Records as a sweep over the miniature data set would write them, with made-up scores from a seed. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse } from "csv-parse/sync";
import type {
  FailedRecord,
  Json,
  Mode,
  RunRecord,
  RunSettings,
  SampleRecord,
  Scores,
  Table,
  Task,
  Token,
} from "../../src/patching/record.ts";

/** mulberry32: uniform numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const dataFile = new URL("../../data/miniature/samples.csv", import.meta.url);
const rows = parse(readFileSync(dataFile), { columns: true }) as Record<string, string>[];

const layers = 6;
const heads = [0, 1, 2, 3];
const sites: Readonly<Record<string, string>> = {
  output: "output",
  attention_block: "attention.self",
  crossattention_block: "crossattention.self",
};

export function settings(change: Partial<RunSettings> = {}): RunSettings {
  return {
    format: 1,
    package_version: "0.1.0",
    model: { name: "blip-mini", config_sha256: "c".repeat(64), weights_sha256: "a1".repeat(32) },
    data: {
      path: resolve("data/miniature/samples.csv"),
      sha256: "d".repeat(64),
      samples: rows.length,
      rows: "e".repeat(64),
    },
    adapter: { name: "SwiftShader Device (Subzero)", backend: "vulkan", tier: "D" },
    tasks: ["facial_expressions", "mit_states", "svo_probes"],
    modes: ["image", "text"],
    kinds: Object.keys(sites),
    heads: "all",
    positions: ["question"],
    head_positions: ["question"],
    compat: "corrected",
    defects: { D4: "corrected", D5: "corrected", D8: "corrected", D9: "corrected" },
    direction: "denoising",
    min_denominator: 0.001,
    shard: null,
    ...change,
  };
}

/** One record for each row of the data set and mode; some fail, some have no effect, some tokens have no counterpart. */
export function records(seed: number, count = rows.length, kinds = Object.keys(sites)): RunRecord[] {
  const next = random(seed);
  return rows.slice(0, count).flatMap((row, sample) =>
    (["image", "text"] as const).map((mode): RunRecord => {
      const key = (sample * 7919).toString(16).padStart(16, "0");
      const base = { key, sample, task: row.task as Task, mode };
      if (next() < 0.03)
        return {
          ...base,
          failed: `${row.clean_image_path}: Input buffer has corrupt header, "quoted" & <cut short>`,
        } satisfies FailedRecord;
      return sampleRecord(row, base, kinds, next);
    }),
  );
}

function sampleRecord(
  row: Record<string, string>,
  base: { key: string; sample: number; task: Task; mode: Mode },
  kinds: string[],
  next: () => number,
): SampleRecord {
  const tokens = promptTokens(row, next);
  const flat = next() < 0.06;
  const [clean, corrupt] = [1.5 + 3 * next(), flat ? 1.5 : -2 * next()];
  const missing = base.mode === "text" ? tokens.findIndex(({ pieces, piece }) => pieces > 1 && piece === 0) : -1;
  const answer = tokens.findIndex(({ role, piece, pieces }) => role === "correct" && piece === pieces - 1);
  const words = row.clean_prompt!.toLowerCase().split(/[^a-z]+/);
  return {
    ...base,
    group: row.group!,
    correct_first: words.indexOf(row.correct_answer!) < words.indexOf(row.incorrect_answer!),
    clean_prompt: row.clean_prompt!,
    corrupt_prompt: base.mode === "text" ? row.corrupt_prompt! : row.clean_prompt!,
    correct_answer: row.correct_answer!,
    incorrect_answer: row.incorrect_answer!,
    clean_image_path: row.clean_image_path!,
    corrupt_image_path: row.corrupt_image_path!,
    tokens,
    answer_token: answer,
    answer_ids: [2417, 2630],
    clean: {
      correct: Math.fround(clean),
      incorrect: 0,
      logsumexp: Math.fround(Math.log(Math.exp(clean) + 1.4)),
      top1: 2417,
    },
    corrupt: {
      correct: Math.fround(corrupt),
      incorrect: 0.25,
      logsumexp: Math.fround(Math.log(Math.exp(corrupt) + 1.8)),
      top1: 2630,
    },
    low_score: [Math.fround(probability(corrupt)), 0, 0, flat ? null : 0],
    tables: kinds.flatMap((kind) =>
      [null, heads].map((list) => table(kind, base.mode, tokens, list, { clean, corrupt, flat, missing }, next)),
    ),
    checks: [
      ...kinds.map((kind) => ({ name: `identity at ${kind}`, ok: true, detail: "same bits" })),
      { name: "patch all", ok: next() > 0.01, detail: "got 1.25, 0.5, 3.125, expected 1.25, 0.5, 3.0625" },
    ],
  };
}

const probability = (difference: number) => Math.exp(difference) / (Math.exp(difference) + 1.6);

interface Runs {
  readonly clean: number;
  readonly corrupt: number;
  readonly flat: boolean;
  readonly missing: number;
}

/** How much of the difference comes back: the answers' tokens early on, `[CLS]` and `?` late, a few heads above the rest. */
function share(kind: string, mode: Mode, token: Token, layer: number, head: number | null, next: () => number): number {
  const depth = layer / (layers - 1);
  const early = { correct: 0.8, incorrect: mode === "image" ? 0.35 : -0.45, noun: 0.25, verb: 0.2 }[token.role] ?? 0;
  const late = token.role === "[CLS]" || token.role === "?" ? 0.5 : 0;
  const wide = early * (1 - depth ** 2) + late * depth ** 3 + 0.06 * (next() - 0.5);
  if (head === null) return kind === "attention_block" ? 0.5 * wide : wide;
  const strong =
    kind === "crossattention_block" && ((layer === 3 && head === 0) || (layer === 5 && head === 3)) ? 0.6 : 0.06;
  return strong * wide * (head === 2 ? -0.7 : 1);
}

function table(
  kind: string,
  mode: Mode,
  tokens: Token[],
  list: number[] | null,
  { clean, corrupt, flat, missing }: Runs,
  next: () => number,
): Table {
  const columns: { [K in keyof Scores]: (Scores[K] | null)[] } = {
    p_patched: [],
    p_diff: [],
    logit_diff: [],
    effect: [],
    kl: [],
    rank: [],
    top1: [],
  };
  tokens.forEach((token, t) => {
    for (let layer = 0; layer < layers; layer++) {
      for (const head of list ?? [null]) {
        const part = share(kind, mode, token, layer, head, next);
        const difference = part * (clean - corrupt);
        const values: Record<keyof Scores, Json> = {
          p_patched: Math.fround(probability(corrupt + difference)),
          p_diff: Math.fround(probability(corrupt + difference) - probability(corrupt)),
          logit_diff: Math.fround(difference),
          effect: flat ? null : next() < 0.0005 ? "NaN" : Math.fround(part),
          kl: Math.fround(Math.abs(1 - part)),
          rank: 1,
          top1: 2417,
        };
        for (const name of Object.keys(columns) as (keyof Scores)[])
          (columns[name] as Json[]).push(t === missing ? null : values[name]);
      }
    }
  });
  return {
    kind,
    sites: Array.from({ length: layers }, (_, i) => `text_encoder.encoder.layer.${i}.${sites[kind]}`),
    tokens: tokens.length,
    layers,
    heads: list,
    scores: columns,
    unchanged: mode === "image" && !list ? layers : 0,
  };
}

function promptTokens(row: Record<string, string>, next: () => number): Token[] {
  const [subject, verb, object] = (row.pos_triplet ?? "").split(",");
  const named = { noun: row.noun, subject, verb, object };
  const roleOf = (word: string) => {
    if (word === row.correct_answer) return "correct";
    if (word === row.incorrect_answer) return "incorrect";
    return (
      Object.entries(named).find(([, name]) => name && (word === name || word.startsWith(name.slice(0, 4))))?.[0] ??
      word
    );
  };
  const words = row.clean_prompt!.toLowerCase().match(/[a-z]+|\?/g)!;
  const single = (text: string, role = text): Token => ({ id: 1000 + text.length, text, role, piece: 0, pieces: 1 });
  const inner = words.flatMap((word): Token[] => {
    if (word.length < 6 || next() < 0.75) return [single(word, roleOf(word))];
    const whole = { id: 5000, role: roleOf(word), pieces: 2 };
    return [
      { ...whole, text: word.slice(0, 3), piece: 0 },
      { ...whole, text: `##${word.slice(3)}`, piece: 1 },
    ];
  });
  return [single("[CLS]"), ...inner, single("[SEP]")];
}
