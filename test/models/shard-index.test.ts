import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/models/checkpoint.ts";
import type { Folder } from "../../src/models/files.ts";
import { entry, fileOf, kindOf, memory, refusal, utf8 } from "./safetensors-file.ts";

describe("shards", () => {
  const one = fileOf(
    `{"__metadata__":{"format":"pt"},"a":${entry("U8", "[2]", "[0,2]")},"b":${entry("U8", "[1]", "[2,3]")}}`,
    3,
  );
  const two = fileOf(`{"c":${entry("U8", "[1]", "[0,1]")}}`, 1);
  const whole = { a: "one.safetensors", b: "one.safetensors", c: "two.safetensors" };

  function folderOf(files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>) {
    const opened: ReturnType<typeof memory>[] = [];
    const folder: Folder = {
      name: "model",
      has: async (file) => Object.hasOwn(files, file),
      async open(file) {
        opened.push(memory(files[file]!, `model/${file}`));
        return opened.at(-1)!;
      },
      text: async (file) => new TextDecoder().decode(files[file]),
      json: async (file) => JSON.parse(await folder.text(file)),
      bytes: async (file) => files[file]!,
    };
    return { folder, opened };
  }
  const index = (map: object | string) => ({
    "model.safetensors.index.json": utf8.encode(typeof map === "string" ? map : JSON.stringify({ weight_map: map })),
  });

  test("join into one, and only headers are read before the first tensor", async () => {
    const { folder, opened } = folderOf({ ...index(whole), "one.safetensors": one, "two.safetensors": two });
    const checkpoint = await openCheckpoint(folder);
    expect([...checkpoint.tensors.values()].map(({ name, file }) => `${name} ${file}`)).toEqual([
      "a model/one.safetensors",
      "b model/one.safetensors",
      "c model/two.safetensors",
    ]);
    expect(opened.map(({ reads }) => reads)).toEqual([
      [
        [0, 8],
        [8, one.length - 11],
      ],
      [
        [0, 8],
        [8, two.length - 9],
      ],
    ]);
    expect(await checkpoint.integers("b")).toEqual([3]);
    expect(await checkpoint.integers("c")).toEqual([1]);
    expect(opened.map(({ reads }) => reads[2])).toEqual([
      [one.length - 1, 1],
      [two.length - 1, 1],
    ]);
    await checkpoint.close();
    expect(opened.map(({ closed }) => closed)).toEqual([1, 1]);
  });

  const files = { "one.safetensors": one, "two.safetensors": two };
  test.for([
    ["a tensor that its shard lacks", "MissingTensor", { ...files, ...index({ ...whole, d: "two.safetensors" }) }],
    ["a tensor that the index lacks", "UnlistedTensor", { ...files, ...index({ a: whole.a, c: whole.c }) }],
    [
      "a tensor in two shards",
      "UnlistedTensor",
      {
        ...index({ ...whole, c: "two.safetensors", d: "three.safetensors" }),
        ...files,
        "three.safetensors": fileOf(`{"c":${entry("U8", "[1]", "[0,1]")},"d":${entry("U8", "[1]", "[1,2]")}}`, 2),
      },
    ],
    ["a tensor in another shard", "MissingTensor", { ...files, ...index({ ...whole, b: "two.safetensors" }) }],
    ["a shard that is not there", "MissingShard", { ...index(whole), "one.safetensors": one }],
    ["a damaged shard", "MetadataIncompleteBuffer", { ...files, ...index(whole), "two.safetensors": two.slice(0, -1) }],
    ["an index that is not JSON", "InvalidIndex", { ...files, ...index("{") }],
    ["an index without a map", "InvalidIndex", { ...files, ...index("{}") }],
    ["a name twice in the index", "DuplicateName", { ...files, ...index('{"weight_map":{"a":"x","a":"y"}}') }],
    ["a number for a shard", "ShardName", { ...files, ...index({ a: 1 }) }],
    ["only a pickle", "NoSafetensors", { "pytorch_model.bin": two }],
    ["nothing", "NoSafetensors", {}],
  ] as const)("%s: %s", async ([, kind, content]) => {
    const { folder, opened } = folderOf(content);
    expect(await kindOf(openCheckpoint(folder))).toBe(kind);
    expect(opened.every(({ closed }) => closed === 1)).toBe(true);
  });

  test("a pickle is told how to become safetensors", async () => {
    const { message } = await refusal(openCheckpoint(folderOf({ "pytorch_model.bin": two }).folder));
    expect(message).toMatchInlineSnapshot(
      `"model: has only pytorch_model.bin, expected model.safetensors or model.safetensors.index.json; to convert it, in Python load the folder with the model's class, then save_pretrained(folder, safe_serialization=True)"`,
    );
  });

  test.for([
    "../one.safetensors",
    "sub/../../one.safetensors",
    "/one.safetensors",
    "//host/share/one.safetensors",
    "..\\one.safetensors",
    "\\one.safetensors",
    "\\\\host\\share\\one.safetensors",
    "C:\\one.safetensors",
    "C:one.safetensors",
    "one.safetensors\0",
    "one.safetensors::$DATA",
    ".. /one.safetensors",
    "%2e%2e/one.safetensors",
    "file:///one.safetensors",
    "NUL",
    ".",
  ])("the shard name %j does not leave the folder", async (name) => {
    const { folder, opened } = folderOf({ ...index({ a: name }), [name]: one });
    expect(await kindOf(openCheckpoint(folder))).toBe("ShardName");
    expect(opened).toEqual([]);
  });
});
