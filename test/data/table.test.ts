import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, expect, test } from "vitest";
import { csvRow, readTable, saveTable } from "../../src/data/table.ts";
import { hashOf } from "../../src/models/hash.ts";
import { expectUserError } from "../cli/command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-table-"));
afterAll(() => rmSync(root, { recursive: true }));

const read = (text: string | Uint8Array, required: string[] = []) =>
  readTable("t.csv", Buffer.from(text as string), required);

test("a byte order mark, CRLF, quotes, empty lines, and the original's other names for columns", () => {
  const text = '\ufeffcorrect_image_path,generated_answer\r\n"a,b",""\r\n\r\n"line\nfeed","""x"""\r\n';
  expect(read(text)).toEqual({
    columns: ["clean_image_path", "generated_text"],
    rows: [
      { clean_image_path: "a,b", generated_text: "" },
      { clean_image_path: "line\nfeed", generated_text: '"x"' },
    ],
  });
});

test.for<[string, string | Uint8Array, RegExp]>([
  ["an empty file", "", /^t\.csv: is empty, expected a header and rows; save the file again$/],
  ["a column twice", "a,b,a\n1,2,3\n", /^t\.csv: has column "a" twice, as 1 and 3; rename or remove one$/],
  [
    "two names of one column",
    "clean_image_path,correct_image_path\n1,2\n",
    /has column "clean_image_path" twice, as 1 and 2/,
  ],
  [
    "a column missing",
    "a,nuon\n1,2\n",
    /has no column "noun"; nearest: "nuon"; expected noun; rename or add it in row 1$/,
  ],
  [
    "a row too short",
    "noun,b,c\n1,2,3\n1\n",
    /row 3 has 1 cells and the header 3, on line 3: column "b" is missing; give each row a cell/,
  ],
  [
    "a row too long",
    'noun,b\n1,"2\n2"\n1,2,3\n',
    /row 3 has 3 cells and the header 2, on line 4: no column for "3"; give each row a cell/,
  ],
  [
    "a quote left open",
    'noun,b\n1,2\n3,"4\n5,6\n',
    /row 3, column "b": quote not closed; close the quotes, and double those inside a cell/,
  ],
  ["a quote in a cell", 'noun,b\n1,2"3\n', /row 2, column "b": invalid opening quote; close the quotes/],
  ["text after a quote", 'noun,b\n"1"x,2\n', /row 2, column "noun": invalid closing quote; close the quotes/],
  [
    "bytes that are not UTF-8",
    Buffer.from("noun,b\n1,2\n1,caf\xe9\n", "latin1"),
    /^t\.csv: line 3, byte 6: is not UTF-8; save the file in that encoding$/,
  ],
  [
    "UTF-16",
    Buffer.from("\ufeffnoun,b\n", "utf16le"),
    /^t\.csv: line 1, byte 1: is not UTF-8; save the file in that encoding$/,
  ],
])("%s is refused with row, column and remedy", ([, text, message]) =>
  expectUserError(() => read(text, ["noun"]), message),
);

test("what is written is what is read, here and by another reader, and its hash is the file's", async () => {
  const cells = ["", "a,b", '"', '""', "line\nfeed", "\r\n", "é🙂", " a ", "x".repeat(100_000), "1e5"];
  const rows = cells.map((cell, i) => [cell, cells[(i * 3 + 1) % cells.length]!]);
  const path = join(root, "a.csv");
  const sha256 = await saveTable(path, ["a", "b"], rows);
  const bytes = readFileSync(path);
  expect(hashOf(bytes)).toBe(sha256);
  expect(read(bytes).rows.map(({ a, b }) => [a, b])).toEqual(rows);
  expect(parse(bytes)).toEqual([["a", "b"], ...rows]);
  expect(csvRow(["a", 1.5, "b,c"])).toBe('a,1.5,"b,c"\r\n');
});
