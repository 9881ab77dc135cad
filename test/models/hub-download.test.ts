/** What is taken from a Hub, how it lies in the cache, and what is refused. No test asks the real Hub. */
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { fetchModel, findModel } from "../../src/models/hub.ts";
import { shelfOf } from "../../src/models/hub-cache.ts";
import { downloadModel } from "../../src/models/hub-download.node.ts";
import type { DownloadProgress } from "../../src/models/hub-progress.ts";
import { expectUserError } from "../cli/command-line.ts";
import { blob, download, expectWhole, hub, model, quick, refs, serve, weights } from "./hub-lab.ts";
import { type Fault, plainFiles, type Seen } from "./hub-server.ts";

test("lies in Hugging Face's layout, is announced before its first byte, is not fetched again", async () => {
  const told: DownloadProgress[] = [];
  const sentAtFirst: number[] = [];
  const got = await download({
    onProgress: (progress) => {
      told.push(progress);
      sentAtFirst.push(hub.sent);
    },
  });
  const total = got.files.reduce((sum, file) => sum + hub.files.get(file)!.length, 0);
  expect(got).toMatchObject({ revision: hub.commit, bytes: total, folder: findModel(model) });
  expect(got.files).not.toContain("README.md");
  expectWhole();
  const { folder } = shelfOf(model);
  expect(readFileSync(join(folder, "refs", "main"), "utf8")).toBe(hub.commit);
  expect(readlinkSync(join(got.folder, "config.json"))).toBe(join("..", "..", "blobs", hub.hash("config.json")));
  expect(readdirSync(join(folder, "blobs")).sort()).toEqual(got.files.map(hub.hash).sort());
  expect(told[0]).toMatchObject({ model, revision: hub.commit, loadedBytes: 0, totalBytes: total, bytesPerSecond: 0 });
  expect(sentAtFirst[0]).toBe(0);
  expect(told.at(-1)).toMatchObject({ file: weights, loadedBytes: total, secondsLeft: 0 });

  expect(await download()).toEqual({ ...got, bytes: 0 });
  expect(hub.sent).toBe(total);
});

test("the token goes to the Hub and to no other host", async () => {
  vi.stubEnv("HF_TOKEN", "hf_secret");
  await download();
  const authorized = (host: Seen["host"]) =>
    hub.seen.filter((seen) => seen.host === host).map(({ headers }) => headers.authorization);
  expect(new Set(authorized("hub"))).toEqual(new Set(["Bearer hf_secret"]));
  expect(authorized("cdn")).toEqual([undefined]);
});

test("the token of the token file is used", async () => {
  writeFileSync(join(process.env.HF_HOME!, "token"), "hf_of_file\n");
  await download();
  expect(hub.seen[0]!.headers.authorization).toBe("Bearer hf_of_file");
});

describe("refusals", () => {
  test.for<[string, Fault, RegExp]>([
    ["401 without a token", { status: 401 }, /no such model, or a private one \(401\) and no token; .*HF_TOKEN/],
    ["403", { status: 403 }, /is gated .*\(403\); open http.*\/lab\/model, accept its terms, and log in/],
    ["401 of a gated one", { status: 401, headers: { "x-error-code": "GatedRepo" } }, /is gated .*\(401\); open http/],
    ["404", { status: 404 }, /found no such model at http.* \(404\); check the name/],
    [
      "404 of a revision",
      { status: 404, headers: { "x-error-code": "RevisionNotFound" } },
      /has no revision "main" \(404\)/,
    ],
    ["500 for ever", { status: 500 }, /failed 6 times in a row \(status 500\)/],
    ["418", { status: 418 }, /answers 418, expected 200; is HF_ENDPOINT/],
    ["redirects in a circle", { status: 307, headers: { location: "/api/again" } }, /redirects more than 5 times/],
  ])("%s", async ([, fault, message]) => {
    hub.fault = () => fault;
    await expectUserError(download, message);
    if (fault.status! < 500 && fault.status! >= 400) expect(hub.seen).toHaveLength(1);
  });

  test("a token that is not valid is named as such, without being shown", async () => {
    vi.stubEnv("HF_TOKEN", "hf_secret");
    hub.fault = () => ({ status: 401 });
    await expectUserError(download, /^(?!.*hf_secret).*the token is not valid for it \(401\)/);
    vi.stubEnv("HF_TOKEN", "hf_\nsecret");
    await expectUserError(download, /^HF_TOKEN: (?!.*secret)holds a space .*; copy it again/);
  });

  test("429 and 503 pass; Retry-After is waited for", async () => {
    hub.fault = ({ path }, nth) => {
      const faults: Fault[] = [{ status: 429, headers: { "retry-after": "1" } }, { status: 503 }];
      return path.startsWith("/api/") ? faults[nth] : undefined;
    };
    const started = performance.now();
    await download();
    expect(performance.now() - started).toBeGreaterThan(990);
    expectWhole();
  });

  test.for<[string, Record<string, string>, RegExp]>([
    ["another commit", { "x-repo-commit": "0".repeat(40) }, /comes from commit 0{40}, expected/],
    ["an ETag that leads out of the cache", { "x-linked-etag": '"../../evil"' }, /states ETag "\.\.\/\.\.\/evil"/],
    [
      "more bytes than the disk has",
      { "x-linked-size": String(10 ** 15 - 1) },
      /needs 1000000\.00 GB more, .* has .* free; make room/,
    ],
  ])("%s", async ([, headers, message]) => {
    hub.fault = ({ host, file }) => (host === "hub" && file === weights ? { headers } : undefined);
    await expectUserError(download, message);
    expect(hub.sent).toBe(0);
  });

  test("a Hub that is not there, names that are none, no place to write", async () => {
    await expectUserError(() => downloadModel("model"), /got "model", expected a name of the Hub: ORG\/NAME/);
    await expectUserError(() => download({ revision: "../x" }), /revision "\.\.\/x" .*, expected a branch/);
    vi.stubEnv("HF_ENDPOINT", "huggingface.co");
    await expectUserError(download, /^HF_ENDPOINT: got "huggingface\.co", expected an address that begins with https/);
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
    vi.stubEnv("HF_HUB_CACHE", join(import.meta.dirname, "hub-lab.ts", "cache"));
    await expectUserError(download, /hub-lab\.ts.cache: a part of the path is a file, .*set HF_HUB_CACHE/);
    await hub.close();
    await expectUserError(download, /failed 6 times in a row \(fetch failed, ECONNREFUSED\); check the network/);
  });
});

describe("repositories", () => {
  const shard = (n: number) => `model-0000${n}-of-00002.safetensors`;
  const index = (shards: string[]) =>
    Buffer.from(JSON.stringify({ weight_map: Object.fromEntries(shards.map((name, i) => [`w${i}`, name])) }));
  const sharded = (...names: string[]) => {
    const { [weights]: bytes, ...rest } = plainFiles();
    return {
      ...rest,
      "model.safetensors.index.json": index(names),
      [shard(1)]: bytes!,
      [shard(2)]: bytes!.subarray(0, 90_000),
      "chat_template.jinja": Buffer.from("{{ x }}"),
    };
  };

  test("of shards: each is fetched once, a missing one is completed on demand and not returned before", async () => {
    await serve(sharded(shard(1), shard(2)));
    const { folder, files } = await download();
    expect(files).toEqual(expect.arrayContaining([shard(1), shard(2), "chat_template.jinja"]));
    expectWhole();
    const before = hub.sent;
    rmSync(blob(shard(2)));
    await expectUserError(
      () => findModel(model),
      /that model without its model-00002-of-00002\.safetensors in the .*notice download/,
    );
    expect(await fetchModel(model, quick)).toBe(folder);
    expect(hub.sent - before).toBe(90_000);
    expectWhole();
  });

  test.for(["../../../evil.safetensors", "/tmp/evil.safetensors", "a/../../x.safetensors", "C:\\x.safetensors"])(
    "an index that names %s is refused",
    async (name) => {
      await serve({ ...sharded(shard(1), name), [name]: Buffer.from("evil") });
      await expectUserError(download, /index\.json puts w1 into .*; expected a plain file name/);
      expect(hub.seen.some(({ path }) => path.includes("evil"))).toBe(false);
      expect(refs()).toBe(false);
    },
  );

  test("an index that names a shard which is not there is refused", async () => {
    await serve(sharded(shard(1), shard(3)));
    await expectUserError(
      download,
      /found no model-00003-of-00002\.safetensors, which model\.safetensors\.index\.json names/,
    );
  });

  test("of pickled weights only, or of no model", async () => {
    const { [weights]: _, ...rest } = plainFiles();
    await serve({ ...rest, "pytorch_model.bin": Buffer.alloc(9) });
    await expectUserError(download, /weights as pytorch_model\.bin only, .*safe_serialization=True.*refs\/pr\/N/);
    await serve({ "README.md": Buffer.alloc(9) });
    await expectUserError(download, /has no config\.json, expected config\.json, tokenizer\.json/);
    expect(hub.sent).toBe(0);
  });

  test("at a revision: its ref is kept, main stays unknown; a commit needs no ref", async () => {
    const { folder } = await download({ revision: "refs/pr/7" });
    expect(hub.seen[0]!.path).toBe("/api/models/lab/model/revision/refs/pr/7");
    expect(readFileSync(join(shelfOf(model).folder, "refs", "refs", "pr", "7"), "utf8")).toBe(hub.commit);
    expect(() => findModel(model)).toThrow(/no such model in the Hugging Face cache/);
    const asked = hub.seen.length;
    expect(await fetchModel(model, { revision: "refs/pr/7" })).toBe(folder);
    expect(await fetchModel(model, { revision: hub.commit })).toBe(folder);
    expect(hub.seen).toHaveLength(asked);
  });
});

describe("on demand", () => {
  test("a model is downloaded once; then the cache is used without the network", async () => {
    const folder = await fetchModel(model, quick);
    expectWhole();
    await hub.close();
    expect(await fetchModel(model)).toBe(folder);
  });

  test("not with HF_HUB_OFFLINE, nor a path that was mistyped", async () => {
    await expectUserError(() => fetchModel("test/nothing"), /found no folder with a config\.json .*expected a folder/);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await expectUserError(() => fetchModel("org/model"), /no such model in .*; HF_HUB_OFFLINE is set, .* unset it/);
    await expectUserError(download, /HF_HUB_OFFLINE is set, so nothing is downloaded; unset it/);
    expect(hub.seen).toEqual([]);
  });
});
