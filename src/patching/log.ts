/** results.jsonl: one record a line, each with a checksum of the rest of its line. Only ever appended to. */
import { createReadStream, existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import { diskError } from "./disk.ts";
import type { Mode, RunRecord, Task } from "./record.ts";

/** Where the last record of a sample, task and mode stands. */
export interface LogEntry {
  readonly sample: number;
  readonly task: Task;
  readonly mode: Mode;
  readonly failed: boolean;
  readonly line: number;
  readonly offset: number;
  readonly length: number;
}

export interface Log {
  /** The last entry of each sample, task and mode, sorted by these. */
  readonly entries: LogEntry[];
  /** Bytes of whole lines; what follows was torn. */
  readonly size: number;
}

export const recordKey = ({ sample, task, mode }: Pick<LogEntry, "sample" | "task" | "mode">): string =>
  `${sample}:${task}:${mode}`;

const checksumDigits = 16;
const checksumPattern = /,"checksum":"([0-9a-f]+)"\}$/;

/** A record as its line, with the line feed. */
export function seal(record: RunRecord): string {
  const body = JSON.stringify(record);
  return `${body.slice(0, -1)},"checksum":"${hashOf(body).slice(0, checksumDigits)}"}\n`;
}

/** @throws UserError naming the line, where its bytes are not those that were written */
export function unseal(bytes: Uint8Array, path: string, line: number): RunRecord {
  const text = Buffer.from(bytes).toString("utf8");
  const checksum = text.match(checksumPattern)?.[1];
  const body = Buffer.concat([bytes.subarray(0, bytes.length - `,"checksum":"${checksum}"}`.length), Buffer.from("}")]);
  if (checksum !== undefined && hashOf(body).slice(0, checksumDigits) === checksum)
    return JSON.parse(body.toString("utf8")) as RunRecord;
  throw new UserError(
    `${path}: line ${line} is damaged (${checksum === undefined ? "it has no checksum" : "its checksum does not fit"}); ` +
      "restore the file from a copy, or delete that line and give the same command again to run its sample anew",
  );
}

/** Reads and checks a whole log. A torn last line is left out. */
export async function scanLog(path: string): Promise<Log> {
  const entries = new Map<string, LogEntry>();
  let size = 0;
  for await (const { bytes, line, offset } of lines(path)) {
    const record = unseal(bytes, path, line);
    const { sample, task, mode } = record;
    entries.set(recordKey(record), {
      sample,
      task,
      mode,
      failed: "failed" in record,
      line,
      offset,
      length: bytes.length,
    });
    size = offset + bytes.length + 1;
  }
  return { entries: [...entries.values()].sort(inOrder), size };
}

/** By sample, task, mode. */
export const inOrder = (
  a: Pick<LogEntry, "sample" | "task" | "mode">,
  b: Pick<LogEntry, "sample" | "task" | "mode">,
): number => a.sample - b.sample || compare(a.task, b.task) || compare(a.mode, b.mode);

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** The records of a log's entries, one at a time. */
export async function* readEntries(path: string, entries: readonly LogEntry[]): AsyncGenerator<RunRecord> {
  if (entries.length === 0) return;
  const file = await open(path, "r");
  try {
    for (const { offset, length, line } of entries) {
      const bytes = Buffer.alloc(length);
      await file.read(bytes, 0, length, offset);
      yield unseal(bytes, path, line);
    }
  } finally {
    await file.close();
  }
}

/** All records in the order in which they were written: of several for one sample, task and mode the last one counts. */
export async function* readInOrder(path: string): AsyncGenerator<RunRecord> {
  for await (const { bytes, line } of lines(path)) yield unseal(bytes, path, line);
}

/** Whole lines without their line feeds; the text after the last line feed is not one. */
async function* lines(path: string): AsyncGenerator<{ bytes: Buffer; line: number; offset: number }> {
  if (!existsSync(path)) return;
  let pieces: Buffer[] = [];
  let line = 1;
  let offset = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
      let from = 0;
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
        const bytes = Buffer.concat([...pieces, chunk.subarray(from, end)]);
        yield { bytes, line, offset };
        pieces = [];
        line++;
        offset += bytes.length + 1;
        from = end + 1;
      }
      if (from < chunk.length) pieces.push(chunk.subarray(from));
    }
  } catch (error) {
    throw diskError(error, path);
  }
}
