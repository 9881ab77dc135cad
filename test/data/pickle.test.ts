import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { strToU8, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { jsonOf } from "../../src/cli/import.ts";
import { parsePickle, readPickleFile } from "../../src/data/pickle-file.ts";
import { expectUserError } from "../cli/command-line.ts";

const folder = "test/fixtures/pickles";
const json = (file: string) => JSON.parse(readFileSync(join(folder, file), "utf8"));

test.for(readdirSync(folder).filter((file) => file.endsWith(".pkl")))("%s: the values beside it", async (file) => {
  const value = jsonOf(await readPickleFile(join(folder, file)));
  expect(value).toEqual(json(file.replace(".pkl", ".json")));
  expect(Array.isArray(value) && value.length).toBe(2);
});

const cases = [...json("cases-numpy.json"), ...json("cases-torch.json")] as {
  name: string;
  data: string;
  value: unknown;
}[];

test.for(cases)("$name", ({ name, data, value }) => {
  expect(jsonOf(parsePickle(name, Buffer.from(data, "base64")))).toEqual(value);
});

/** A pickle as the letters of its instructions; numbers are bytes. */
const pickle = (...parts: (string | number | Uint8Array)[]) =>
  Buffer.concat(
    parts.map((part) => (typeof part === "number" ? Buffer.from([part]) : Buffer.from(part as string, "latin1"))),
  );
const le = (value: number, bytes: number) => {
  const out = Buffer.alloc(bytes);
  out.writeUIntLE(value, 0, Math.min(6, bytes));
  return out;
};

describe("hostile pickles are refused in one sentence, and nothing runs", () => {
  const proto = pickle(0x80, 4);
  const laughs = Array.from({ length: 12 }, (_, i) => pickle("(", ...Array(10).fill(pickle("h", i)), "lq", i + 1));
  const loads = (bytes: Uint8Array) => pickle("ctorch.storage\n_load_from_bytes\n(C", bytes.length, bytes, "tR.");
  const float = pickle("ctorch\nFloatStorage\n");
  const tensor = (storage: Uint8Array, shape: string, stride: string) =>
    pickle("ctorch._utils\n_rebuild_tensor_v2\n(", storage, "K\0", `(${shape}t(${stride}t`, "I00\nNtR.");

  test.for<[string, Uint8Array, RegExp]>([
    [
      "os.system",
      pickle("cos\nsystem\n(S'echo pwned'\ntR."),
      /asks for os\.system at byte 0, which no result file needs; nothing in it was run/,
    ],
    ["posix.system by stack", pickle(proto, 0x8c, 5, "posix", 0x8c, 6, "system", 0x93, "."), /asks for posix\.system/],
    ["builtins.eval", pickle("cbuiltins\neval\n(S'1'\ntR."), /asks for builtins\.eval/],
    [
      "getattr on an allowed module",
      pickle("ctorch._utils\n_rebuild_tensor\n."),
      /asks for torch\._utils\._rebuild_tensor at/,
    ],
    ["a name of JavaScript's", pickle("c__proto__\nconstructor\n."), /asks for __proto__\.constructor/],
    ["a name with control characters", pickle("cos\nsy\x1b[31mstem\n."), /asks for os\.sy\?\?31mstem/],
    ["an instance by class", pickle("(ios\nsystem\n."), /has instruction 0x69, which no result file needs/],
    ["a new object", pickle("ccollections\nOrderedDict\n)", 0x81, "."), /has instruction 0x81/],
    ["an extension", pickle(0x82, 1, "."), /has instruction 0x82/],
    ["os.system inside a tensor", loads(pickle("cos\nsystem\n.")), /a tensor in it: asks for os\.system/],
    [
      "a file inside a tensor inside a tensor",
      loads(loads(pickle("N."))),
      /a tensor in it: asks for torch\.storage\._load_from_bytes/,
    ],
    ["a memo bomb", pickle("(lq", 0, ...laughs, "."), /unfolds to more than 2,000,000 values/],
    ["deep nesting", pickle("]".repeat(100_000), "a".repeat(99_999), "."), /is nested deeper than 64, or holds itself/],
    ["a list that holds itself", pickle("]q", 0, "h", 0, "a."), /is nested deeper than 64, or holds itself/],
    ["a dict that holds itself", pickle("}q", 0, "K", 1, "h", 0, "s."), /is nested deeper than 64, or holds itself/],
    ["a text of 2^62 bytes", pickle(0x8d, le(0, 7), 0x40, "abc."), /wants 4611686018427388000 bytes where 4 are left/],
    ["bytes of 2^32 - 1", pickle("B", le(0xffffffff, 4), "abc."), /wants 4294967295 bytes where 4 are left/],
    [
      "a whole number of a million bytes",
      pickle(0x8b, le(1_000_000, 4), Buffer.alloc(1_000_000), "."),
      /has a whole number of 1000000 bytes/,
    ],
    ["digits without end", pickle("I", "9".repeat(1000), "\n."), /has a whole number in no such notation/],
    [
      "a tensor larger than its storage",
      pickle("}", tensor(pickle("N"), "K\x01", "K\x01")),
      /asks for what no result file needs \(expected a storage\)/,
    ],
    ["a storage from elsewhere", pickle(float, "Q."), /names a storage outside of it/],
    ["a type as a value", pickle(float, "."), /holds an object that is no value/],
    ["a function as a value", pickle("]ctorch\nSize\na."), /holds an object that is no value/],
    ["a tuple as a key", pickle("}K\x01", 0x85, "Ns."), /has a key that is neither text nor a number/],
    ["nothing at all", pickle(""), /is empty, expected a pickled result file/],
    ["an empty stack", pickle("."), /takes a value that was never put there/],
    ["a mark that is missing", pickle("t."), /closes a list that was never opened/],
    ["a memo that is missing", pickle("h", 7, "."), /recalls value 7, which it never kept/],
    ["protocol 9", pickle(0x80, 9, "N."), /names protocol 9, expected at most 5/],
    ["text that is not UTF-8", pickle("X", le(1, 4), 0xff, "."), /has text that is not UTF-8/],
    ["more than one value", pickle("N.N."), /ends, but 2 more bytes follow/],
    ["a call of a list", pickle("])R."), /calls what is no function/],
    ["a picture", pickle("\x89PNG\r\n"), /is no result file/],
    [
      "a zip file of something else",
      zipSync({ "a.txt": strToU8("a") }, { level: 0 }),
      /is a zip file without data\.pkl/,
    ],
    [
      "a zip bomb",
      zipSync({ "a/data.pkl": new Uint8Array(10_000_000) }, { level: 9 }),
      /holds "a\/data\.pkl" compressed/,
    ],
    [
      "a zip file that calls",
      zipSync({ "a/data.pkl": pickle("cos\nsystem\n.") }, { level: 0 }),
      /a\/data\.pkl: asks for os\.system/,
    ],
    [
      "a zip file cut short",
      zipSync({ "a/data.pkl": pickle("N.") }, { level: 0 }).subarray(0, 60),
      /is a damaged zip file/,
    ],
  ])("%s", ([, bytes, message]) => expectUserError(() => parsePickle("bad.pkl", bytes), message));

  test("a tensor whose view reaches beyond its numbers", async () => {
    const storage = pickle("(S'storage'\n", float, "S'0'\nS'cpu'\nK", 4, "tQ");
    const file = (shape: string, stride: string) =>
      zipSync({ "a/data.pkl": tensor(storage, shape, stride), "a/data/0": new Uint8Array(16) }, { level: 0 });
    expect(jsonOf(parsePickle("good", file("K\x04", "K\x01")))).toEqual([0, 0, 0, 0]);
    for (const [shape, stride] of [
      ["K\x05", "K\x01"],
      ["K\x02", "K\x04"],
      ["J\x00\x00\x00\x7f", "K\x00"],
      ["J\xff\xff\xff\xff", "K\x01"],
      ["K\x02", ""],
    ] as const)
      await expectUserError(() => parsePickle("bad.pkl", file(shape, stride)), /asks for what no result file needs \(/);
  });

  test("a result file cut short anywhere, or with a byte turned over, is refused or read, and never more", () => {
    const whole = readFileSync(join(folder, readdirSync(folder).find((file) => file.endsWith("output_2.pkl"))!));
    const attempt = (bytes: Uint8Array) => {
      try {
        parsePickle("cut.pkl", bytes);
        return "read";
      } catch (error) {
        expect((error as Error).name, (error as Error).stack).toBe("UserError");
        return "refused";
      }
    };
    for (let length = 0; length < whole.length; length += 7) expect(attempt(whole.subarray(0, length))).toBe("refused");
    let read = 0;
    for (let at = 0; at < whole.length; at += 3) {
      const bytes = Uint8Array.from(whole);
      bytes[at] = bytes[at]! ^ (1 << (at % 8));
      if (attempt(bytes) === "read") read++;
    }
    expect(read).toBeGreaterThan(0);
  });
});
