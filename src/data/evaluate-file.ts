/** The file that answers are written to row by row: started, or gone on with after an interruption. */
import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { saveFile } from "#files";
import { UserError } from "../models/errors.ts";
import type { Quantize } from "../models/nf4.ts";
import { manifestPath, saveManifest } from "./manifest.ts";
import type { Task } from "./sample.ts";
import { csvRow, readBytes, readTable } from "./table.ts";

/** Everything that decides the answers. */
export interface EvaluateSettings {
  readonly format: 1;
  readonly step: "evaluate";
  readonly model: string;
  readonly config_sha256: string;
  readonly weights_sha256: string;
  readonly quantize: Quantize | null;
  readonly task: Task | null;
  readonly data_sha256: string;
}

export interface AnswerFile {
  /** Answers that stand in the file, of its first rows. */
  readonly answers: string[];
  append(cells: readonly string[]): Promise<void>;
}

/**
 * @param rows what the file's rows begin with, up to the answer
 * @throws UserError for a file that was made otherwise, with the difference
 */
export async function openAnswers(
  out: string,
  settings: EvaluateSettings,
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<AnswerFile> {
  const append = (cells: readonly string[]) => appendFile(out, csvRow(cells), { flush: true });
  if (!existsSync(out)) {
    await mkdir(dirname(out), { recursive: true }).catch(() => {}); // saveManifest says what is wrong
    await saveManifest(manifestPath(out), settings);
    await saveFile(out, Buffer.from(csvRow(columns)));
    return { answers: [], append };
  }
  checkSettings(out, settings, await storedSettings(manifestPath(out)));
  const bytes = await readBytes(out);
  const whole = bytes.subarray(0, wholeRows(bytes));
  const table = readTable(out, whole, columns);
  const wrong = table.rows.findIndex((cells, i) =>
    columns.slice(0, -1).some((name, c) => cells[name] !== rows[i]?.[c]),
  );
  if (wrong !== -1)
    throw new UserError(
      `${out}: row ${wrong + 2} is not that of the data file; choose another file, or remove this one`,
    );
  await truncate(out, whole.length);
  return { answers: table.rows.map(({ generated_text }) => generated_text!), append };
}

async function storedSettings(path: string): Promise<Readonly<Record<string, unknown>>> {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    throw new UserError(`${path}: is not JSON; remove it and the data file beside it, or choose another file`);
  }
}

function checkSettings(out: string, settings: EvaluateSettings, stored: Readonly<Record<string, unknown>>): void {
  const show = (value: unknown) => JSON.stringify(value) ?? "nothing";
  const difference = Object.entries(settings)
    .filter(([name, value]) => stored[name] !== value)
    .map(([name, value]) => `${name} ${show(stored[name])} -> ${show(value)}`);
  if (difference.length === 0) return;
  throw new UserError(
    `${out}: was made with other settings (stored -> now): ${difference.join(", ")}; ` +
      "give the stored ones to go on with it, or choose another file",
  );
}

/** Bytes up to the end of the last whole row; a line feed in quotes ends none. */
function wholeRows(bytes: Uint8Array): number {
  let size = 0;
  let quoted = false;
  bytes.forEach((byte, i) => {
    if (byte === 0x22) quoted = !quoted;
    else if (byte === 0x0a && !quoted) size = i + 1;
  });
  return size;
}
