import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFile, openFolder } from "#files";
import { type CheckpointError, openCheckpoint, openSafetensors } from "../../src/models/checkpoint.ts";
import { UserError } from "../../src/models/errors.ts";
import { saveSafetensors, type TensorToSave } from "../../src/models/save-safetensors.node.ts";
import { entry, fileOf, kindOf, memory, refusal, utf8 } from "./safetensors-file.ts";

const a = `"a":${entry("F32", "[1]", "[0,4]")}`;

describe("refused", () => {
  const overflow = "[4294967296,4294967296]";
  const cases: [string, CheckpointError["kind"], Uint8Array<ArrayBuffer>][] = [
    ["an empty file", "HeaderTooSmall", new Uint8Array(0)],
    ["seven bytes", "HeaderTooSmall", new Uint8Array(7)],
    ["a header of 100,000,001 bytes", "HeaderTooLarge", fileOf("{}", 0, 100_000_001n)],
    ["a header of 2^64 - 1 bytes", "HeaderTooLarge", fileOf("{}", 0, 2n ** 64n - 1n)],
    ["a header past the end", "InvalidHeaderLength", fileOf("{}", 0, 3n)],
    ["a header that is not UTF-8", "InvalidHeader", fileOf(Uint8Array.of(0x7b, 0xff, 0x7d))],
    ["no header", "InvalidHeaderDeserialization", fileOf("")],
    ["a byte order mark", "InvalidHeaderDeserialization", fileOf(`\ufeff{${a}}`, 4)],
    ["no JSON", "InvalidHeaderDeserialization", fileOf(`{${a}`, 4)],
    ["a list", "InvalidHeaderDeserialization", fileOf("[]")],
    ["NUL padding", "InvalidHeaderDeserialization", fileOf(`{${a}}\0\0`, 4)],
    ["a second value", "InvalidHeaderDeserialization", fileOf(`{${a}}{}`, 4)],
    ["a trailing comma", "InvalidHeaderDeserialization", fileOf(`{${a},}`, 4)],
    ["a number as tensor", "InvalidHeaderDeserialization", fileOf(`{"x":1,${a}}`, 4)],
    ["an unknown dtype", "InvalidHeaderDeserialization", fileOf(`{"a":${entry("f32", "[1]", "[0,4]")}}`, 4)],
    [
      "a dtype of Object.prototype",
      "InvalidHeaderDeserialization",
      fileOf(`{"a":${entry("toString", "[1]", "[0,4]")}}`, 4),
    ],
    ["no dtype", "InvalidHeaderDeserialization", fileOf('{"a":{"shape":[1],"data_offsets":[0,4]}}', 4)],
    ["no shape", "InvalidHeaderDeserialization", fileOf('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4)],
    ["metadata that are no strings", "InvalidHeaderDeserialization", fileOf(`{"__metadata__":{"n":1},${a}}`, 4)],
    ["metadata that are a list", "InvalidHeaderDeserialization", fileOf(`{"__metadata__":[],${a}}`, 4)],
    ["1.0 in a shape", "InvalidHeaderDeserialization", fileOf(`{"a":${entry("F32", "[1.0]", "[0,4]")}}`, 4)],
    ["a negative dimension", "InvalidHeaderDeserialization", fileOf(`{"a":${entry("F32", "[-1]", "[0,4]")}}`, 4)],
    [
      "a dimension with a leading zero",
      "InvalidHeaderDeserialization",
      fileOf(`{"a":${entry("F32", "[01]", "[0,4]")}}`, 4),
    ],
    ["-0 in the offsets", "InvalidHeaderDeserialization", fileOf(`{"a":${entry("F32", "[1]", "[-0,4]")}}`, 4)],
    ["three offsets", "InvalidHeaderDeserialization", fileOf(`{"a":${entry("F32", "[1]", "[0,4,4]")}}`, 4)],
    ["half a surrogate pair", "InvalidHeaderDeserialization", fileOf(`{"\\ud800":${entry("F32", "[1]", "[0,4]")}}`, 4)],
    ["a line break in a name", "InvalidHeaderDeserialization", fileOf(`{"a\n":${entry("F32", "[1]", "[0,4]")}}`, 4)],
    ["depth", "InvalidHeaderDeserialization", fileOf(`{"a":${"[".repeat(99_999)}`)],
    ["a hole", "InvalidOffset", fileOf(`{"a":${entry("U8", "[1]", "[0,1]")},"b":${entry("U8", "[1]", "[2,3]")}}`, 3)],
    [
      "an overlap",
      "InvalidOffset",
      fileOf(`{"a":${entry("U8", "[2]", "[0,2]")},"b":${entry("U8", "[2]", "[1,3]")}}`, 3),
    ],
    ["the same place twice", "InvalidOffset", fileOf(`{${a},"b":${entry("F32", "[1]", "[0,4]")}}`, 4)],
    ["a start after 0", "InvalidOffset", fileOf(`{"a":${entry("U8", "[1]", "[1,2]")}}`, 2)],
    ["an end before its begin", "InvalidOffset", fileOf(`{"a":${entry("F32", "[1]", "[4,0]")}}`, 4)],
    ["a shape of 2^64", "ValidationOverflow", fileOf(`{"a":${entry("U8", overflow, "[0,4]")}}`, 4)],
    [
      "a shape of 2^63 of 32 bits",
      "ValidationOverflow",
      fileOf(`{"a":${entry("F32", "[4294967296,2147483648]", "[0,4]")}}`, 4),
    ],
    [
      "2^64 elements and then a zero",
      "ValidationOverflow",
      fileOf(`{"a":${entry("U8", "[4294967296,4294967296,0]", "[0,0]")}}`),
    ],
    [
      "a number beyond 2^53",
      "ValidationOverflow",
      fileOf(`{"a":${entry("F32", "[1]", "[0,18446744073709551614]")}}`, 4),
    ],
    ["half a byte", "MisalignedSlice", fileOf(`{"a":${entry("F4", "[1]", "[0,1]")}}`, 1)],
    ["six bits", "MisalignedSlice", fileOf(`{"a":${entry("F6_E2M3", "[3]", "[0,2]")}}`, 2)],
    ["fewer bytes than the shape", "TensorInvalidInfo", fileOf(`{"a":${entry("F32", "[2]", "[0,4]")}}`, 4)],
    ["more bytes than the shape", "TensorInvalidInfo", fileOf(`{"a":${entry("F16", "[1]", "[0,4]")}}`, 4)],
    ["a longer file", "MetadataIncompleteBuffer", fileOf(`{${a}}`, 5)],
    ["a shorter file", "MetadataIncompleteBuffer", fileOf(`{${a}}`, 3)],
    ["a name twice", "DuplicateName", fileOf(`{${a},"b":${entry("F32", "[1]", "[4,8]")},${a}}`, 8)],
    [
      "a name twice, once with an escape",
      "DuplicateName",
      fileOf(`{${a},"\\u0061":${entry("F32", "[1]", "[4,8]")}}`, 8),
    ],
    ["metadata twice", "DuplicateName", fileOf(`{"__metadata__":{},"__metadata__":{},${a}}`, 4)],
    ["a field twice", "DuplicateName", fileOf(`{"a":{"dtype":"U8",${entry("F32", "[1]", "[0,4]").slice(1)}}`, 4)],
  ];

  test.for(cases)("%s: %s", async ([, kind, file]) => {
    const source = memory(file);
    expect(await kindOf(openSafetensors(source))).toBe(kind);
    expect(source.closed).toBe(1);
    const read = source.reads.reduce((total, [, length]) => total + length, 0);
    expect(read).toBeLessThanOrEqual(file.length);
  });

  test("in words that say file, found, expected and remedy", async () => {
    const words = new Map<string, string>();
    for (const [, kind, file] of cases) {
      if (!words.has(kind)) words.set(kind, (await refusal(openSafetensors(memory(file)))).message);
    }
    expect([...words.values()]).toMatchInlineSnapshot(`
      [
        "m.safetensors: has 0 bytes, expected 8 or more; the file is damaged or not whole; download or write it again",
        "m.safetensors: has a header of 100000001 bytes, expected at most 100000000; is it a safetensors file?",
        "m.safetensors: has a header of 3 bytes, expected at most 2, all that follows; the file is damaged or not whole; download or write it again",
        "m.safetensors: its header is not UTF-8, expected JSON in UTF-8; the file is damaged or not whole; download or write it again",
        "m.safetensors: its header has the end at character 0, expected a value; write it again with a safetensors library",
        "m.safetensors: b has data_offsets [2, 3], expected to begin at 1, where the tensor before ends; write it again with a safetensors library",
        "m.safetensors: a is U8 of shape [4294967296, 4294967296], expected fewer than 2^64 bits; write it again with a safetensors library",
        "m.safetensors: a is F4 of shape [1], 4 bits, expected whole bytes; write it again with a safetensors library",
        "m.safetensors: a has 4 bytes, expected 8 for F32 of shape [2]; write it again with a safetensors library",
        "m.safetensors: has 67 bytes, expected 66 as its header says; the file is damaged or not whole; download or write it again",
        "m.safetensors: its header has "a" twice, expected once; write it again with a safetensors library",
      ]
    `);
  });
});

describe("accepted", () => {
  test.for([
    ["white space around the header", fileOf(` \n{${a}}\t\r\n  `, 4), { a: [1] }],
    ["metadata null", fileOf(`{"__metadata__":null,${a}}`, 4), { a: [1] }],
    ["a scalar", fileOf(`{"a":${entry("F32", "[]", "[0,4]")}}`, 4), { a: [] }],
    [
      "no elements",
      fileOf(`{"a":${entry("F32", "[0,3]", "[0,0]")},"b":${entry("F64", "[0]", "[0,0]")}}`),
      { a: [0, 3], b: [0] },
    ],
    ["no tensors", fileOf("{}"), {}],
    ["unknown fields", fileOf(`{"a":{"x":[1.5,{}],${entry("F32", "[1]", "[0,4]").slice(1)}}`, 4), { a: [1] }],
    ["two F4 in a byte", fileOf(`{"a":${entry("F4", "[2]", "[0,1]")}}`, 1), { a: [2] }],
    ["an empty name", fileOf(`{"":${entry("U8", "[1]", "[0,1]")}}`, 1), { "": [1] }],
    ["a surrogate pair", fileOf(`{"\\ud83d\\ude00":${entry("U8", "[1]", "[0,1]")}}`, 1), { "\u{1f600}": [1] }],
  ] as const)("%s", async ([, file, shapes]) => {
    const { tensors } = await openSafetensors(memory(file));
    expect(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]))).toEqual(shapes);
  });

  test("__proto__ and constructor are names like any other", async () => {
    const header = `{"__proto__":${entry("U8", "[1]", "[0,1]")},"constructor":${entry("U8", "[1]", "[1,2]")}}`;
    const checkpoint = await openSafetensors(memory(fileOf(header, 2)));
    expect(await checkpoint.integers("__proto__")).toEqual([1]);
    expect(await checkpoint.integers("constructor")).toEqual([2]);
    expect(await refusal(checkpoint.read("toString"))).toBeInstanceOf(UserError);
  });

  test("a header of several megabytes in one name", async () => {
    const name = `${"x\\\\".repeat(2 ** 20)}\\"`;
    const { tensors } = await openSafetensors(memory(fileOf(`{"${name}":${entry("U8", "[1]", "[0,1]")}}`, 1)));
    expect([...tensors.keys()][0]?.length).toBe(2 ** 21 + 1);
  });
});

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "checkpoint-"));
});
afterAll(() => rm(root, { recursive: true }));

const specials = [
  0,
  -0,
  1,
  -1.5,
  2 ** -149,
  2 ** -126,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
  65504,
];
const halves = Uint16Array.of(0x0001, 0x83ff, 0x7c00, 0xfc00, 0x7e00, 0x3c00);

test("saved tensors come back, aligned even where the file is not", async () => {
  const path = join(root, "round.safetensors");
  const tensors = [
    { name: "bytes", dtype: "U8", shape: [3], data: Uint8Array.of(255, 0, 7) },
    { name: "halves", dtype: "F16", shape: [6], data: halves },
    { name: "brains", dtype: "BF16", shape: [2], data: Uint16Array.of(0x3f80, 0x0001) },
    { name: "singles", dtype: "F32", shape: [2, 5], data: Float32Array.from(specials) },
    { name: "doubles", dtype: "F64", shape: [2], data: Float64Array.of(0.1, -1e300) },
    { name: "longs", dtype: "I64", shape: [2], data: BigInt64Array.of(-(2n ** 53n) + 1n, 2n ** 53n - 1n) },
    { name: "huge", dtype: "U64", shape: [1], data: BigUint64Array.of(2n ** 53n) },
    { name: "ints", dtype: "I32", shape: [2], data: Int32Array.of(-(2 ** 31), 5) },
    {
      name: "lazy",
      dtype: "I16",
      shape: [2, 2],
      data: () => [Uint8Array.of(255, 255, 0), Uint8Array.of(1, 2, 0, 3, 0)],
    },
  ] as const;
  await saveSafetensors(path, tensors, { format: "pt", über: "\u{1f600}" });
  const file = await readFile(path);
  expect((8 + Number(file.readBigUInt64LE(0))) % 8).toBe(0);
  const checkpoint = await openSafetensors(await openFile(path));
  expect([...checkpoint.metadata]).toEqual([
    ["format", "pt"],
    ["über", "\u{1f600}"],
  ]);
  expect([...(await checkpoint.f32("singles"))]).toEqual([...Float32Array.from(specials)]);
  expect([...(await checkpoint.f32("halves"))]).toEqual([
    2 ** -24,
    -1023 * 2 ** -24,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
    1,
  ]);
  expect([...(await checkpoint.f32("brains"))]).toEqual([1, 2 ** -133]);
  expect([...(await checkpoint.f32("doubles"))]).toEqual([Math.fround(0.1), Number.NEGATIVE_INFINITY]);
  expect(await checkpoint.integers("longs")).toEqual([1 - 2 ** 53, 2 ** 53 - 1]);
  expect(await checkpoint.integers("ints")).toEqual([-(2 ** 31), 5]);
  expect(await checkpoint.integers("lazy")).toEqual([-1, 256, 2, 3]);
  expect(await checkpoint.integers("bytes")).toEqual([255, 0, 7]);
  const part = await checkpoint.readRange("halves", 2, 4);
  expect([part.byteOffset, part.buffer.byteLength, ...new Uint16Array(part.buffer)]).toEqual([0, 4, 0x83ff, 0x7c00]);
  for (const { begin, dtype } of checkpoint.tensors.values()) {
    expect(begin % Math.max(1, Number(/\d+/.exec(dtype)) / 8)).toBe(0);
  }
  const words = [
    checkpoint.f32("ints"),
    checkpoint.integers("halves"),
    checkpoint.integers("huge"),
    checkpoint.read("none"),
  ];
  const messages = await Promise.all(words.map(async (act) => (await refusal(act)).message.replaceAll(path, "<file>")));
  expect(messages).toMatchInlineSnapshot(`
    [
      "<file>: ints is I32, expected F32, F16, BF16 or F64; convert the checkpoint",
      "<file>: halves is F16, expected whole numbers: U8, I8, U16, I16, U32, I32, U64, I64; convert it",
      "<file>: huge holds 9007199254740992, expected numbers within 2^53 - 1 either way",
      "<file>: has no tensor none among its 9; is it the right model?",
    ]
  `);
  for (const [offset, length] of [
    [-1, 1],
    [0, 13],
    [12, 1],
    [0.5, 1],
  ] as const) {
    expect((await refusal(checkpoint.readRange("halves", offset, length))).message).toContain(
      "expected a range within its 12 bytes",
    );
  }
  await checkpoint.close();
});

test.for([
  ["data of another length", [{ name: "a", dtype: "F32", shape: [2], data: new Float32Array(1) }]],
  ["lazy data of another length", [{ name: "a", dtype: "F32", shape: [2], data: () => [new Uint8Array(9)] }]],
  ["a name twice", [1, 2].map(() => ({ name: "a", dtype: "U8", shape: [1], data: new Uint8Array(1) }))],
  ["half a byte", [{ name: "a", dtype: "F4", shape: [1], data: new Uint8Array(1) }]],
  ["a tensor called __metadata__", [{ name: "__metadata__", dtype: "U8", shape: [1], data: new Uint8Array(1) }]],
] as [string, TensorToSave[]][])("does not save %s", async ([, tensors]) => {
  const path = join(root, "none.safetensors");
  await refusal(saveSafetensors(path, tensors));
  expect(await (await openFolder(root)).has("none.safetensors")).toBe(false);
});

test("the miniature model opens, and its numbers are numbers", async () => {
  const checkpoint = await openCheckpoint(await openFolder("weights/miniature/blip"));
  const name = "text_decoder.bert.embeddings.word_embeddings.weight";
  expect(checkpoint.tensors.size).toBe(380);
  expect(checkpoint.tensors.get(name)).toMatchObject({ dtype: "F16", shape: [241, 128], bytes: 61696 });
  expect(checkpoint.tensors.get("text_decoder.bert.embeddings.LayerNorm.bias")?.shape).toEqual([128]);
  expect(checkpoint.metadata.get("format")).toBe("pt");
  const weights = await checkpoint.f32(name);
  expect([weights.length, weights.every(Number.isFinite)]).toEqual([241 * 128, true]);
  await checkpoint.close();
});

test("a tensor that comes short is an error", async () => {
  const source = memory(fileOf(`{${a}}`, 2), "cut", fileOf(`{${a}}`, 4).length);
  const checkpoint = await openSafetensors(source);
  expect((await refusal(checkpoint.f32("a"))).message).toBe("cut: got 2 bytes of a, expected 4; is the file whole?");
});

test("6 GiB open and give a tensor without filling memory", { timeout: 30_000 }, async () => {
  const path = join(root, "sparse.safetensors");
  const large = 6 * 2 ** 30;
  const header = utf8.encode(
    `{"large":${entry("U8", `[${large}]`, `[0,${large}]`)},"last":${entry("F32", "[2]", `[${large},${large + 8}]`)}}`,
  );
  const file = fileOf(header);
  const handle = await open(path, "w");
  await handle.write(file);
  await handle.write(new Uint8Array(Float32Array.of(1, 2).buffer), 0, 8, file.length + large);
  await handle.close();
  const before = process.memoryUsage().rss;
  const checkpoint = await openSafetensors(await openFile(path));
  expect([...(await checkpoint.f32("last"))]).toEqual([1, 2]);
  expect([...(await checkpoint.readRange("large", large - 2, 2))]).toEqual([0, 0]);
  expect(process.memoryUsage().rss - before).toBeLessThan(50 * 2 ** 20);
  expect((await refusal(checkpoint.read("large"))).message).toContain("read it in parts");
  await checkpoint.close();
});
