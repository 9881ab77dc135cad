/** Where the strongest heads look: their attention from a token to the patches of the picture, after a sweep. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { DataRow } from "../data/samples.ts";
import { captureTap } from "../models/capture.ts";
import { UserError } from "../models/errors.ts";
import type { Input, Model } from "../models/model.ts";
import { writeBytes } from "./disk.ts";
import { resolveKind } from "./kinds.ts";
import { layerOf } from "./layer.ts";
import { readEntries, scanLog } from "./log.ts";
import { pngOfRgb } from "./overlay-png.ts";
import {
  type OverlayChoice,
  type OverlayHead,
  overlaysText,
  type SampleOverlay,
  storedChoice,
  type TokenGrids,
} from "./overlay-store.ts";
import { position } from "./positions.ts";
import type { RunSettings, SampleRecord } from "./record.ts";
import { answerRow, lastRow } from "./report/tally.ts";

/** Samples that are drawn: the first ones that were swept. */
const SAMPLES = 6;

/** Attentions that look at the picture. */
const looking =
  /^(text_encoder\.encoder\.layer\.\d+\.crossattention\.self|language_model\.model\.layers\.\d+\.self_attn)(?=\.|$)/;

/** @throws UserError where a sweep patches no single heads of an attention to the picture */
export function checkOverlays(model: Model, { kinds, heads }: Pick<RunSettings, "kinds" | "heads">): void {
  const found = kinds.some((kind) => resolveKind(model, kind).sites.some(({ name }) => looking.test(name)));
  if (found && heads !== "none") return;
  throw new UserError(
    `--overlays: got ${kinds.join(", ")} with heads ${JSON.stringify(heads)}, expected heads that look at the picture; ` +
      "add --heads all and --kind crossattention_block (LLaVA: attention_block)",
  );
}

export interface OverlayOptions {
  /** How many of the strongest heads. */
  readonly heads: number;
  readonly signal?: AbortSignal;
}

/** Writes overlays.jsonl, unless it holds these heads and samples already. */
export async function writeOverlays(
  model: Model,
  rows: readonly DataRow[],
  folder: string,
  { heads, signal }: OverlayOptions,
): Promise<void> {
  const { choice, records } = await choose(model, folder, heads);
  if (choice.heads.length === 0) return;
  if (JSON.stringify(await storedChoice(folder)) === JSON.stringify(choice)) return;
  const overlays: SampleOverlay[] = [];
  for (const record of records) {
    signal?.throwIfAborted();
    const row = rows.find(({ index, task }) => index === record.sample && task === record.task);
    if (row) overlays.push(await sampleOverlay(model, row, record, choice.heads));
  }
  await rm(join(folder, "overlays"), { recursive: true, force: true });
  await writeBytes(join(folder, "overlays.jsonl"), overlaysText({ ...choice, overlays }));
}

/** The first samples, and the heads with the largest mean of |logit difference| at one of the tokens. */
async function choose(model: Model, folder: string, count: number) {
  const log = join(folder, "results.jsonl");
  const records = new Map<string, SampleRecord>();
  const sums = new Map<string, HeadValue & { n: number }>();
  for await (const record of readEntries(log, (await scanLog(log)).entries)) {
    if ("failed" in record) continue;
    const key = `${record.sample} ${record.task}`;
    if (records.size < SAMPLES && !records.has(key)) records.set(key, record);
    for (const { value, ...place } of headValues(record)) {
      const name = `${place.layer} ${place.head} ${place.token}`;
      const sum = sums.get(name) ?? { ...place, value: 0, n: 0 };
      sums.set(name, { ...sum, value: sum.value + Math.abs(value), n: sum.n + 1 });
    }
  }
  const ranked = [...sums.values()]
    .map(({ value, n, ...place }): OverlayHead => ({ ...place, strength: value / n, n }))
    .sort((a, b) => b.strength - a.strength || a.layer - b.layer || a.head - b.head);
  const first = ({ layer, head }: OverlayHead) => ranked.find((one) => one.layer === layer && one.head === head);
  const heads = ranked.filter((one) => one === first(one)).slice(0, count);
  const attention = model.sites.some(({ name }) => name.includes(".crossattention.")) ? "cross" : "self";
  const samples = [...records.values()].map(({ sample }) => sample);
  const choice: OverlayChoice = { format: 1, attention, heads, samples };
  return { choice, records: [...records.values()] };
}

type HeadValue = Pick<OverlayHead, "layer" | "head" | "token"> & { readonly value: number };

/** Changes of the logit difference by single heads that look at the picture. */
function* headValues(record: SampleRecord): Generator<HeadValue> {
  for (const table of record.tables) {
    const { sites, heads, patches, dropped, scores } = table;
    if (heads === null || patches !== undefined || dropped !== undefined || !looking.test(sites[0]!)) continue;
    const rows = { answer: answerRow(record, table) ?? -1, last: lastRow(record, table) };
    for (const token of ["answer", "last"] as const) {
      if (rows[token] === -1) continue;
      for (const [l, site] of sites.entries()) {
        for (const [h, head] of heads.entries()) {
          const value = scores.logit_diff[(rows[token] * sites.length + l) * heads.length + h] ?? null;
          if (value !== null) yield { layer: layerOf(site, l), head, token, value };
        }
      }
    }
  }
}

async function sampleOverlay(
  model: Model,
  { cleanImage, cleanPrompt, correctAnswer }: DataRow,
  { sample, task, answer_token, tokens }: SampleRecord,
  heads: readonly OverlayHead[],
): Promise<SampleOverlay> {
  const input = await model.input({ image: cleanImage, text: cleanPrompt });
  const places = [
    ...(answer_token === null ? [] : [{ name: "answer" as const, token: answer_token }]),
    ...(input.picture || answer_token === null ? [{ name: "last" as const, token: tokens.length - 1 }] : []),
  ].map((place) => ({ ...place, text: tokens[place.token]!.text }));
  const grids = await gridsOf(model, input, places, heads);
  const picture = Buffer.from(pngOfRgb(seen(input), Math.sqrt(input.pixels.length / 3))).toString("base64");
  return { sample, task, prompt: cleanPrompt, answer: correctAnswer, picture, tokens: grids };
}

/** The picture's values, as the vision tower reads them, from the smallest to the largest: [side, side, 3]. */
function seen({ pixels }: Input): Uint8Array {
  const [low, high] = [pixels.reduce((a, b) => Math.min(a, b)), pixels.reduce((a, b) => Math.max(a, b))];
  const size = pixels.length / 3;
  return Uint8Array.from(pixels, (_, i) => {
    const value = pixels[(i % 3) * size + Math.floor(i / 3)]!;
    return high === low ? 0 : Math.round((255 * (value - low)) / (high - low));
  });
}

type Place = Pick<TokenGrids, "name" | "token" | "text">;

/** One forward of the clean run; a language model computes only what comes from the first of the places on. */
async function gridsOf(
  model: Model,
  input: Input,
  places: readonly Place[],
  chosen: readonly OverlayHead[],
): Promise<TokenGrids[]> {
  const { gpu, sites } = model;
  const looked = sites.filter(({ name }) => looking.test(name) && name.endsWith(".probs"));
  const firstToken = input.picture ? Math.min(...places.map(({ token }) => position(input, token))) : 0;
  const tap = captureTap(gpu, sites, looked);
  gpu.release(model.forward(input, tap, { firstToken }));
  try {
    const layers = [...(await tap.read()).values()];
    return places.map((place) => {
      const row = position(input, place.token) - firstToken;
      const all = layers.map(({ data, shape }) => patchRows(input, data, shape, row)); // [layer][head][patch]
      const flat = all.flat();
      const average = Array.from(flat[0]!, (_, i) => flat.reduce((sum, head) => sum + head[i]!, 0) / flat.length);
      const heads = chosen.map(({ layer, head }) => Array.from(all[layer]![head]!, digits));
      return { ...place, average: average.map(digits), heads };
    });
  } finally {
    tap.release();
  }
}

/** Attention [1, H, T, S] from one token to the patches, by head; the class token in front of them is left out. */
function patchRows({ picture }: Input, data: Float32Array, shape: readonly number[], row: number): Float32Array[] {
  const [, heads, tokens, sources] = shape as [number, number, number, number];
  const count = picture?.tokens ?? sources;
  const patches = Math.floor(Math.sqrt(count)) ** 2;
  const first = (picture?.at ?? 0) + count - patches;
  return Array.from({ length: heads }, (_, head) => {
    const at = (head * tokens + row) * sources + first;
    return data.subarray(at, at + patches);
  });
}

/** As many digits as float32 holds for sure. */
const digits = (value: number): number => Number(value.toPrecision(6));
