/** CSV files: read with the row and column of what is wrong, written as RFC 4180 says. */
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import { openFile, saveFile } from "#files";
import { UserError } from "../models/errors.ts";
import { nearest } from "../models/nearest.ts";

export type Cells = Readonly<Record<string, string>>;

export interface DataTable {
  readonly columns: readonly string[];
  readonly rows: readonly Cells[];
}

/** Names of the same column in other versions of the original's files (D17). */
const otherNames: Readonly<Record<string, string>> = {
  correct_image_path: "clean_image_path",
  incorrect_image_path: "corrupt_image_path",
  generated_answer: "generated_text",
};

/** The bytes of a file that fits into memory. */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const source = await openFile(path);
  try {
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

/**
 * A header and rows; row numbers in messages count the header as 1.
 * @throws UserError for what is no such table, or lacks a column
 */
export function readTable(path: string, bytes: Uint8Array, required: readonly string[]): DataTable {
  if (!isUtf8(bytes)) {
    const [line, column] = firstBadByte(bytes);
    throw new UserError(`${path}: line ${line}, byte ${column}: is not UTF-8; save the file in that encoding`);
  }
  let columns: readonly string[] | undefined;
  const same = new Map<string, string>();
  const rows: Cells[] = [];
  const onRecord = (cells: string[]) => {
    if (columns) rows.push(Object.fromEntries(columns.map((name, i) => [name, shared(same, cells[i]!)])));
    else columns = checkedColumns(path, cells, required);
    return null;
  };
  try {
    parse(bytes, { bom: true, skipEmptyLines: true, maxRecordSize: 1_000_000, onRecord });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new UserError(
      `${path}: is not a CSV file: ${complaint(error, columns ?? [], rows.length + (columns ? 2 : 1))}`,
    );
  }
  if (columns === undefined) throw new UserError(`${path}: is empty, expected a header and rows; save the file again`);
  return { columns, rows };
}

/** Short words of a study come again and again: one string for all of them. */
function shared(same: Map<string, string>, cell: string): string {
  const known = same.get(cell);
  if (known !== undefined) return known;
  if (same.size < 100_000) same.set(cell, cell);
  return cell;
}

function checkedColumns(path: string, header: readonly string[], required: readonly string[]): readonly string[] {
  const columns = header.map((name) => otherNames[name] ?? name);
  const double = columns.findIndex((name, i) => columns.indexOf(name) !== i);
  if (double !== -1) {
    const [name, first] = [columns[double]!, columns.indexOf(columns[double]!)];
    throw new UserError(`${path}: has column "${name}" twice, as ${first + 1} and ${double + 1}; rename or remove one`);
  }
  for (const name of required) {
    if (columns.includes(name)) continue;
    throw new UserError(
      `${path}: has no column "${name}"; nearest: "${nearest(name, columns, 1)[0]}"; ` +
        `expected ${required.join(", ")}; rename or add it in row 1`,
    );
  }
  return columns;
}

/** Its line and its place in the line, from 1: no line feed is part of a longer character. */
function firstBadByte(bytes: Uint8Array): [number, number] {
  for (let start = 0, line = 1; ; line++) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed === -1 ? bytes.length : feed + 1;
    const text = Buffer.from(bytes.subarray(start, end)).toString("utf8");
    const again = Buffer.from(text);
    const differs = again.findIndex((byte, i) => byte !== bytes[start + i]);
    if (differs !== -1 || feed === -1) return [line, differs + 1];
    start = end;
  }
}

function complaint(error: CsvError, header: readonly string[], row: number): string {
  const { lines, record, column } = error as unknown as { lines: number; record?: string[]; column: number };
  if (error.code === "CSV_RECORD_INCONSISTENT_FIELDS_LENGTH" && record) {
    const cells = `row ${row} has ${record.length} cells and the header ${header.length}, on line ${lines}`;
    const remedy = "give each row a cell for every column, and quotes to a cell with a comma";
    return record.length < header.length
      ? `${cells}: column "${header[record.length]}" is missing; ${remedy}`
      : `${cells}: no column for "${record[header.length]!.slice(0, 40)}"; ${remedy}`;
  }
  const name = header[column] === undefined ? `column ${column + 1}` : `column "${header[column]}"`;
  const [what] = error.message.split(":");
  return `row ${row}, ${name}: ${what!.toLowerCase()}; close the quotes, and double those inside a cell`;
}

/** One line of a CSV file. */
export const csvRow = (fields: readonly (string | number)[]): string => `${fields.map(quoted).join(",")}\r\n`;

const quoted = (field: string | number): string =>
  typeof field === "string" && /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : String(field);

/** Writes a whole file, in pieces; gives its sha256. */
export async function saveTable(
  path: string,
  columns: readonly string[],
  rows: Iterable<readonly string[]>,
): Promise<string> {
  const hash = createHash("sha256");
  await mkdir(dirname(path), { recursive: true }).catch(() => {}); // saveFile says what is wrong
  await saveFile(path, pieces());
  return hash.digest("hex");

  function* pieces(): Generator<Uint8Array> {
    let waiting = csvRow(columns);
    for (const cells of rows) {
      waiting += csvRow(cells);
      if (waiting.length >= PIECE) yield piece();
    }
    yield piece();

    function piece(): Uint8Array {
      const bytes = Buffer.from(waiting);
      hash.update(bytes);
      waiting = "";
      return bytes;
    }
  }
}

const PIECE = 2 ** 16;
