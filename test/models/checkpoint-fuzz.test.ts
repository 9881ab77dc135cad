import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointError, openSafetensors } from "../../src/models/checkpoint.ts";
import { entry, fileOf, memory, utf8 } from "./safetensors-file.ts";

/** The other reader: npm safetensors 0.0.1. */
interface OtherReader {
  readonly metadata: ReadonlyMap<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  getTensor(name: string): Uint8Array;
}
const { SafeTensor } = createRequire(import.meta.url)("safetensors") as {
  SafeTensor: new (b: Uint8Array) => OtherReader;
};

describe("fuzz", () => {
  const dtypes = { U8: 1, F16: 2, F32: 4, I64: 8 } as const;
  const tensor = fc.record({
    name: fc
      .string({ unit: "binary", maxLength: 12 })
      .filter((name) => name !== "__metadata__" && !/\p{Surrogate}/u.test(name)),
    dtype: fc.constantFrom(...(Object.keys(dtypes) as (keyof typeof dtypes)[])),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
  });
  const whole = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 5 }).map((tensors) => {
    let end = 0;
    const entries = tensors.map(({ name, dtype, shape }) => {
      const begin = end;
      end += shape.reduce((product, n) => product * n, dtypes[dtype]);
      return `${JSON.stringify(name)}:${entry(dtype, JSON.stringify(shape), `[${begin},${end}]`)}`;
    });
    return { header: `{${entries.join(",")}}`, end };
  });
  const piece = fc.constantFrom(
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "0",
    "-",
    "1e9",
    ".5",
    "null",
    "\0",
    " ",
    "\ufeff",
    "9".repeat(20),
    '"dtype":"F32",',
    '"__metadata__":{},',
    '"shape":[],',
    "\\ud800",
    "\u{1f600}",
  );
  const change = fc.record({
    at: fc.nat(),
    drop: fc.nat(9),
    put: fc.oneof(
      piece.map((text) => utf8.encode(text)),
      fc.uint8Array({ maxLength: 4 }),
    ),
  });

  test("agrees with npm safetensors on every whole file without metadata", async () => {
    await fc.assert(
      fc.asyncProperty(whole, async ({ header, end }) => {
        const file = fileOf(header, end);
        const [ours, other] = [await openSafetensors(memory(file)), new SafeTensor(file)];
        expect(new Set(ours.tensors.keys())).toEqual(new Set(other.metadata.keys()));
        for (const [name, { dtype, shape, begin, bytes }] of ours.tensors) {
          expect(other.metadata.get(name)).toEqual({ dtype, shape, data_offsets: [begin, begin + bytes] });
          expect([...(await ours.read(name))]).toEqual([...other.getTensor(name)]);
        }
      }),
      { numRuns: 300, examples: [[{ header: `{"__proto_":${entry("U8", "[1]", "[0,1]")}}`, end: 1 }]] },
    );
  });

  test("a changed file is opened or refused, with CheckpointError and nothing else, in no time", async () => {
    const counts = { opened: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        whole,
        fc.array(change, { minLength: 1, maxLength: 3 }),
        fc.nat(3),
        async ({ header, end }, changes, mode) => {
          let bytes: Uint8Array = mode === 0 ? fileOf(header, end) : utf8.encode(header);
          for (const { at, drop, put } of changes) {
            const start = at % (bytes.length + 1);
            bytes = Uint8Array.of(...bytes.subarray(0, start), ...put, ...bytes.subarray(start + drop));
          }
          const file = mode === 0 ? Uint8Array.from(bytes) : fileOf(bytes, end);
          const begun = performance.now();
          try {
            const { tensors } = await openSafetensors(memory(file));
            counts.opened++;
            const size = Number(new DataView(file.buffer).getBigUint64(0, true));
            const json = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + size))) as object;
            expect([...tensors.keys(), "__metadata__"].sort()).toEqual(
              [...new Set([...Object.getOwnPropertyNames(json), "__metadata__"])].sort(),
            );
            expect([...tensors.values()].reduce((total, { bytes }) => total + bytes, 8 + size)).toBe(file.length);
          } catch (error) {
            if (!(error instanceof CheckpointError)) throw error;
            counts.refused++;
          }
          expect(performance.now() - begun).toBeLessThan(1000);
        },
      ),
      { numRuns: 3000 },
    );
    expect(Math.min(counts.opened, counts.refused)).toBeGreaterThan(10);
  });
});
