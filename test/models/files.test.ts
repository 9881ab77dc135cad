import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openFile, openFolder } from "#files";
import { UserError } from "../../src/models/errors.ts";
import { saveFile } from "../../src/models/files.node.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "files-"));
  await mkdir(join(root, "model", "sub"), { recursive: true });
  await writeFile(join(root, "secret.json"), "{}");
  await writeFile(join(root, "model", "config.json"), '{"a": [1]}');
  await writeFile(join(root, "model", "bad.json"), "{");
  await writeFile(join(root, "model", "latin.txt"), Uint8Array.of(0xe9, 0x74));
  await writeFile(join(root, "model", "sub", "plain.txt"), "inside");
  await symlink(join(root, "secret.json"), join(root, "model", "link.json"));
});
afterAll(() => rm(root, { recursive: true }));

const message = async (act: Promise<unknown>): Promise<string> => {
  const error = await act.then(
    () => expect.unreachable("nothing was refused"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message.replaceAll(root, "<root>").replaceAll("\\", "/");
};

test("reads text, JSON, bytes and ranges; follows links; looks into folders below", async () => {
  const folder = await openFolder(join(root, "model"));
  expect(await folder.json("config.json")).toEqual({ a: [1] });
  expect(await folder.text("sub/plain.txt")).toBe("inside");
  expect([...(await folder.bytes("latin.txt"))]).toEqual([0xe9, 0x74]);
  expect(await folder.text("link.json")).toBe("{}");
  expect([await folder.has("config.json"), await folder.has("sub"), await folder.has("none/none")]).toEqual([
    true,
    false,
    false,
  ]);
  const source = await folder.open("sub/plain.txt");
  expect(new TextDecoder().decode(await source.read(2, 3))).toBe("sid");
  expect(source.size).toBe(6);
  await source.close();
});

test.for([
  ["../secret.json"],
  ["sub/../../secret.json"],
  ["/etc/passwd"],
  ["..\\secret.json"],
  ["C:\\secret.json"],
  ["C:secret.json"],
  ["\\\\host\\share\\secret.json"],
  ["config.json\0.txt"],
  ["config.json::$DATA"],
  [".. /secret.json"],
  ["%2e%2e/secret.json"],
  ["sub//plain.txt"],
  ["..."],
  ["con.json"],
  [""],
] as const)("refuses the name %j", async ([name]) => {
  const folder = await openFolder(join(root, "model"));
  for (const act of [folder.has(name), folder.open(name), folder.text(name), folder.json(name), folder.bytes(name)]) {
    expect(await message(act)).toMatch(/file name ".*" .*, expected a plain name inside the folder$/);
  }
});

test("says in one sentence what is wrong", async () => {
  const folder = await openFolder(join(root, "model"));
  const acts = [
    openFolder(join(root, "none")),
    openFolder(join(root, "secret.json")),
    openFile(join(root, "none.txt")),
    openFile(join(root, "model")),
    openFile(join(root, "secret.json", "below")),
    folder.json("bad.json").catch((error) => Promise.reject(new UserError(error.message.replace(/\(.*\)/, "(...)")))),
    folder.text("latin.txt"),
    saveFile(join(root, "none", "file"), new Uint8Array(1)),
  ];
  expect(await Promise.all(acts.map(message))).toMatchInlineSnapshot(`
    [
      "<root>/none: found no such folder; check the path",
      "<root>/secret.json: is a file, expected a folder; check the path",
      "<root>/none.txt: found no such file; check the path",
      "<root>/model: is a folder, expected a file; check the path",
      "<root>/secret.json/below: part of the path is a file, expected folders; check the path",
      "<root>/model/bad.json: is not JSON (...); save or download it again",
      "<root>/model/latin.txt: is not UTF-8, expected text in that encoding; save or download it again",
      "<root>/none/file: found no such place to write; check the path",
    ]
  `);
});

test.skipIf(process.platform === "win32" || process.getuid?.() === 0)("says that a file may not be read", async () => {
  const path = join(root, "locked");
  await writeFile(path, "", { mode: 0 });
  expect(await message(openFile(path))).toBe(
    "<root>/locked: no permission, expected a file that you may use; change its permissions",
  );
});

test.for([
  [-1, 1],
  [0, 3],
  [3, 0],
  [0.5, 1],
  [0, Number.NaN],
  [2 ** 53, 1],
] as const)("refuses a read at %d of %d bytes from a file of 2", async ([offset, length]) => {
  const source = await openFile(join(root, "secret.json"));
  expect(await message(source.read(offset, length))).toContain("expected a range within its 2 bytes");
  await source.close();
});

test("a file that got shorter, and one that was closed, are errors", async () => {
  const path = join(root, "shrinks");
  await writeFile(path, "12345678");
  const source = await openFile(path);
  await truncate(path, 3);
  expect(await message(source.read(0, 8))).toBe(
    "<root>/shrinks: ended 5 bytes early, expected 8 bytes; did it change while it was read?",
  );
  await source.close();
  expect(await message(source.read(0, 1))).toContain("closed");
});

test("stops between pieces when told to", async () => {
  const source = await openFile(join(root, "secret.json"));
  await expect(source.read(0, 2, AbortSignal.abort())).rejects.toThrow("aborted");
  await source.close();
});

test("reads beyond 2^32 bytes and across pieces", { timeout: 30_000 }, async () => {
  const path = join(root, "large");
  const handle = await open(path, "w");
  await handle.write(Uint8Array.of(7), 0, 1, 5 * 2 ** 30);
  await handle.truncate(5 * 2 ** 30 + 65 * 2 ** 20);
  await handle.close();
  const source = await openFile(path);
  const bytes = await source.read(5 * 2 ** 30 - 1, 64 * 2 ** 20 + 9);
  expect([bytes[0], bytes[1], bytes.length, bytes.byteOffset]).toEqual([0, 7, 64 * 2 ** 20 + 9, 0]);
  await source.close();
});

test("saves whole or not at all, and leaves no temporary file", async () => {
  const folder = join(root, "saved");
  const path = join(folder, "file");
  await mkdir(folder);
  await saveFile(path, Uint8Array.of(1, 2));
  await saveFile(path, [Uint8Array.of(3), new Uint8Array(0), Uint8Array.of(4)]);
  expect([...(await readFile(path))]).toEqual([3, 4]);
  async function* breaks() {
    yield Uint8Array.of(9);
    throw new Error("out of data");
  }
  await expect(saveFile(path, breaks())).rejects.toThrow("out of data");
  expect([...(await readFile(path))]).toEqual([3, 4]);
  expect(await readdir(folder)).toEqual(["file"]);
});
