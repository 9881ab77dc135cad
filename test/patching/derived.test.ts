/** scores.npz and scores.csv, read back by readers that share nothing with the writers. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { unzipSync } from "fflate";
import { afterAll, expect, test } from "vitest";
import { csvRows, csvWriter } from "../../src/patching/csv.ts";
import { shortest } from "../../src/patching/float32.ts";
import { layerOf } from "../../src/patching/layer.ts";
import { npzBytes } from "../../src/patching/npz.ts";
import { noticeColumns, type SampleRecord } from "../../src/patching/record.ts";
import { scoreArrays } from "../../src/patching/score-arrays.ts";
import { records } from "./synthetic.ts";

const folder = mkdtempSync(join(tmpdir(), "notice-derived-"));
afterAll(() => rmSync(folder, { recursive: true }));

const samples = records(11, 79, ["output", "crossattention_block"]).filter(
  (record): record is SampleRecord => !("failed" in record),
);

/** NumPy's format, read by its description. */
function readNpy(bytes: Uint8Array): { shape: number[]; at(i: number): number | string } {
  expect(Buffer.from(bytes.subarray(0, 8)).toString("latin1")).toBe("\x93NUMPY\x01\x00");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const start = 10 + view.getUint16(8, true);
  expect(start % 64).toBe(0);
  const header = Buffer.from(bytes.subarray(10, start)).toString("latin1");
  const [, type, tuple] = header.match(
    /^\{'descr': '([^']+)', 'fortran_order': False, 'shape': \(([\d, ]+)\), \} *\n$/,
  )!;
  const shape = tuple!
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
  const width = type!.startsWith("<U") ? Number(type!.slice(2)) : 1;
  expect(bytes.length).toBe(start + 4 * width * shape.reduce((product, length) => product * length, 1));
  const at = (i: number) => {
    if (type === "<f4") return view.getFloat32(start + 4 * i, true);
    if (type === "<i4") return view.getInt32(start + 4 * i, true);
    const points = Array.from({ length: width }, (_, k) => view.getUint32(start + 4 * (i * width + k), true));
    return String.fromCodePoint(...points.filter((point) => point !== 0));
  };
  return { shape, at };
}

function npz(): Record<string, ReturnType<typeof readNpy>> {
  const scores = scoreArrays();
  for (const record of samples) scores.add(record);
  return Object.fromEntries(
    Object.entries(unzipSync(npzBytes(scores.arrays()))).map(([name, bytes]) => [
      name.replace(/\.npy$/, ""),
      readNpy(bytes),
    ]),
  );
}

test("scores.npz holds every score at its place, NaN where there is none", () => {
  const arrays = npz();
  for (const [task, mode] of [
    ["mit_states", "text"],
    ["svo_probes", "image"],
  ] as const) {
    const part = samples.filter((record) => record.task === task && record.mode === mode);
    for (const kind of ["output", "crossattention_block"]) {
      for (const what of ["whole", "heads"] as const) {
        const { shape, at } = arrays[`${task}.${mode}.${kind}.${what}`]!;
        const longest = Math.max(...part.map(({ tokens }) => tokens.length));
        const inner = what === "heads" ? [6, 4] : [6];
        expect(shape).toEqual([part.length, longest, ...inner, 4]);
        const cells = inner.reduce((product, length) => product * length, 1);
        part.forEach((record, s) => {
          const { scores } = record.tables.find(
            (table) => table.kind === kind && (table.heads === null) === (what === "whole"),
          )!;
          for (let i = 0; i < longest * cells; i++) {
            for (const [c, column] of noticeColumns.entries()) {
              const value = scores[column][i] ?? Number.NaN;
              const got = at(4 * (s * longest * cells + i) + c);
              if (!Object.is(got, Number(value))) expect(got, `${record.sample} ${column} ${i}`).toBe(Number(value));
            }
          }
        });
      }
    }
  }
});

test("scores.npz names samples, tokens, layers, heads and columns", () => {
  const arrays = npz();
  const part = samples.filter(({ task, mode }) => task === "svo_probes" && mode === "text");
  const all = (name: string) => {
    const { shape, at } = arrays[name]!;
    return Array.from({ length: shape.reduce((product, length) => product * length, 1) }, (_, i) => at(i));
  };
  expect(all("columns")).toEqual([...noticeColumns]);
  expect(all("svo_probes.text.samples")).toEqual(part.map(({ sample }) => sample));
  expect(all("svo_probes.text.token_counts")).toEqual(part.map(({ tokens }) => tokens.length));
  expect(all("svo_probes.text.groups")).toEqual(part.map(({ group }) => group));
  expect(all("svo_probes.text.low_score").slice(0, 4)).toEqual(part[0]!.low_score.map((value) => value ?? Number.NaN));
  expect(all("svo_probes.text.token_text").slice(0, part[0]!.tokens.length)).toEqual(
    part[0]!.tokens.map(({ text }) => text),
  );
  expect(all("svo_probes.text.output.heads.heads")).toEqual([0, 1, 2, 3]);
  expect(all("svo_probes.text.output.whole.sites")[5]).toBe("text_encoder.encoder.layer.5.output");
});

test("scores.csv has one row for each cell and for the unpatched run", () => {
  const path = join(folder, "scores.csv");
  const csv = csvWriter(path);
  for (const record of samples.slice(0, 12)) csv.add(record);
  csv.close();
  const text = readFileSync(path, "utf8");
  expect(text.split("\r\n")[0]).toBe(
    "sample,task,mode,kind,site,layer,token,token_text,head,p_patched,p_diff,logit_diff,effect",
  );
  const rows = parse(text, { columns: true }) as Record<string, string>[];
  let at = 0;
  for (const record of samples.slice(0, 12)) {
    for (const kind of ["output", "crossattention_block"]) {
      const low = rows[at++]!;
      expect([low.kind, low.site, low.layer, low.token, low.head]).toEqual([kind, "", "", "", ""]);
      expect(Math.fround(Number(low.p_patched))).toBe(record.low_score[0]);
      for (const table of record.tables.filter((table) => table.kind === kind)) {
        const width = table.heads?.length ?? 1;
        for (let i = 0; i < table.scores.p_patched.length; i++, at++) {
          const row = rows[at]!;
          const token = Math.floor(i / width / table.layers);
          const layer = Math.floor(i / width) % table.layers;
          const place = [
            String(record.sample),
            table.sites[layer],
            String(layer),
            String(token),
            record.tokens[token]!.text,
            table.heads ? String(table.heads[i % width]) : "",
          ];
          expect([row.sample, row.site, row.layer, row.token, row.token_text, row.head]).toEqual(place);
          const effect = table.scores.effect[i] ?? "";
          expect(row.effect === "" || row.effect === "NaN" ? row.effect : Math.fround(Number(row.effect))).toBe(effect);
          expect(row.p_patched === "" ? null : Math.fround(Number(row.p_patched))).toBe(table.scores.p_patched[i]);
        }
      }
    }
  }
  expect(rows.length).toBe(at);
});

test("quotes fields that need it, and writes what is not finite", () => {
  const record: SampleRecord = {
    ...samples[0]!,
    low_score: [0.5, 0, 0, "-Infinity"],
    tokens: [{ id: 1, text: 'a "b", c\n', role: "x", piece: 0, pieces: 1 }],
    tables: [
      {
        kind: "embed",
        sites: ["text_encoder.embeddings"],
        tokens: 1,
        layers: 1,
        heads: null,
        unchanged: 0,
        scores: {
          p_patched: [Math.fround(0.1)],
          p_diff: [0],
          logit_diff: [-1e-7],
          effect: ["NaN"],
          kl: [0],
          rank: [0],
          top1: [0],
        },
      },
    ],
  };
  expect([...csvRows(record)].map((row) => row.split("embed,").slice(1).join("embed,"))).toEqual([
    ",,,,,0.5,0,0,-Infinity\r\n",
    'text_encoder.embeddings,0,0,"a ""b"", c\n",,0.1,0,-1e-7,NaN\r\n',
  ]);
});

test("writes the shortest decimal that reads back as the same float32", () => {
  for (const [value, text] of [
    [0.1, "0.1"],
    [1 / 3, "0.33333334"],
    [16777216, "16777216"],
    [3.4028235e38, "3.4028235e+38"],
    [1e-45, "1e-45"],
    [-0.25, "-0.25"],
  ] as const) {
    expect(shortest(Math.fround(value))).toBe(text);
  }
  fc.assert(
    fc.property(
      fc.float({ noNaN: true }),
      (value) => Math.fround(Number(shortest(value))) === value || (value === 0 && Number(shortest(value)) === 0),
    ),
  );
});

test("finds the layer in a site's path", () => {
  expect(layerOf("text_encoder.encoder.layer.11.output", 3)).toBe(11);
  expect(layerOf("language_model.model.layers.7", 0)).toBe(7);
  expect(layerOf("text_encoder.embeddings", 2)).toBe(2);
});
