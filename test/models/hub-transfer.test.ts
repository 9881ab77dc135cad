/** Faults of the line while a file comes: cut, silent, slow, damaged, other bytes than before. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { shelfOf } from "../../src/models/hub-cache.ts";
import { expectUserError } from "../cli/command-line.ts";
import { blob, download, expectWhole, hub, model, ofWeights, refs, size, weights } from "./hub-lab.ts";
import type { Fault } from "./hub-server.ts";

describe("cuts", () => {
  test.for<[string, number[]]>([
    ["10, 50 and 99 %", [0.1, 0.5, 0.99]],
    ["5 in a row", [0.2, 0.3, 0.4, 0.5, 0.6]],
    ["9 in a row, each after some bytes", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]],
  ])("at %s cost less than a hundredth more bytes", async ([, parts]) => {
    const small = hub.files.get("config.json")!.length;
    ofWeights((nth) => {
      const before = nth === 0 ? 0 : parts[nth - 1]!;
      return parts[nth] === undefined ? undefined : { cutAfter: Math.round((parts[nth] - before) * size) };
    });
    const { bytes } = await download();
    expectWhole();
    expect(hub.seen.filter(({ host }) => host === "cdn")).toHaveLength(parts.length + 1);
    expect(hub.sent).toBeLessThan(1.01 * bytes);
    expect(hub.sent).toBeGreaterThanOrEqual(bytes - small);
    expect(hub.seen.at(-1)!.headers["if-range"]).toMatch(/^"cdn-/);
  });

  test("without progress end in an error that keeps what came", async () => {
    ofWeights((nth) => ({ cutAfter: nth === 0 ? 100_000 : 0 }));
    await expectUserError(
      download,
      /lab\/model: http.* failed 6 times in a row \(.+\); .* it goes on where it stopped/,
    );
    expect(readFileSync(`${blob(weights)}.incomplete`).length).toBe(100_000);
    expect([existsSync(blob(weights)), refs()]).toEqual([false, false]);
    hub.fault = () => undefined;
    await download();
    expect(hub.seen.at(-1)!.headers.range).toBe("bytes=100000-");
    expectWhole();
  });

  test("a silent line is given up and asked again", async () => {
    ofWeights((nth) => (nth === 0 ? { silentAfter: size / 2 } : undefined));
    await download({ stallMilliseconds: 200 });
    expectWhole();
    expect(hub.sent).toBeLessThan(1.02 * size);
  });

  test("a slow line is not", async () => {
    ofWeights(() => ({ slow: 10 }));
    await download({ stallMilliseconds: 400 });
    expectWhole();
    expect(hub.seen.filter(({ host }) => host === "cdn")).toHaveLength(1);
  });
});

describe("bytes that are not the file's", () => {
  const damaged = () => {
    const bytes = Buffer.from(hub.files.get(weights)!);
    bytes[size / 2]! ^= 1;
    return bytes;
  };

  test("a damaged body is fetched anew", async () => {
    ofWeights((nth) => (nth === 0 ? { bytes: damaged() } : undefined));
    await download();
    expectWhole();
    expect(hub.sent).toBeGreaterThan(2 * size);
  });

  test("a damaged rest of an earlier attempt is fetched anew", async () => {
    mkdirSync(join(shelfOf(model).folder, "blobs"), { recursive: true });
    writeFileSync(`${blob(weights)}.incomplete`, Buffer.alloc(size / 2));
    await download();
    expectWhole();
  });

  test.for<[string, () => Fault, RegExp]>([
    [
      "damaged",
      () => ({ bytes: damaged() }),
      /came with sha256 [0-9a-f]{64}, expected [0-9a-f]{64}, twice; .* removed/,
    ],
    ["too long", () => ({ bytes: Buffer.alloc(size + 1) }), /comes with 2000001 bytes, expected 2000000, twice/],
    ["too short", () => ({ bytes: Buffer.alloc(size - 1) }), /comes with 1999999 bytes, expected 2000000, twice/],
  ])("a body that stays %s is refused and never has its final name", async ([, fault, message]) => {
    ofWeights(fault);
    await expectUserError(download, message);
    expect([existsSync(blob(weights)), existsSync(`${blob(weights)}.incomplete`), refs()]).toEqual([
      false,
      false,
      false,
    ]);
  });

  test("a small file is checked by git's hash", async () => {
    hub.fault = ({ file, method }) =>
      file === "config.json" && method === "GET" ? { bytes: Buffer.from('{"model_type":"evil"}') } : undefined;
    await expectUserError(download, /config\.json came with sha1 [0-9a-f]{40}, expected [0-9a-f]{40}, twice/);
  });

  test.for<[string, number, Fault]>([
    ["ignores the range", 2, { ignoreRange: true }],
    ["has another ETag meanwhile", 2, { headers: { etag: '"cdn-other"' } }],
    ["ignores that the ETag is another", 3, { headers: { etag: '"cdn-other"' }, ignoreIfRange: true }],
  ])("a Hub that %s sends all again", async ([, requests, later]) => {
    ofWeights((nth) => (nth === 0 ? { cutAfter: size / 2 } : nth === 1 ? later : undefined));
    await download();
    expectWhole();
    expect(hub.seen.filter(({ host }) => host === "cdn")).toHaveLength(requests);
    expect(hub.sent).toBeGreaterThan(1.4 * size);
  });
});

test.for<[string, Fault]>([
  ["while bytes come", { slow: 20 }],
  ["on a silent line", { silentAfter: size / 2 }],
])("an abort %s stops at once, keeps what came, and goes on later", async ([, fault]) => {
  ofWeights((nth) => (nth === 0 ? fault : undefined));
  const abort = new AbortController();
  const stopped = expect(download({ signal: abort.signal })).rejects.toThrow("enough");
  const arrived = () => statSync(`${blob(weights)}.incomplete`, { throwIfNoEntry: false })?.size ?? 0;
  while (hub.sent < size / 4 || arrived() === 0) await new Promise((wake) => setTimeout(wake, 10));
  const started = performance.now();
  abort.abort(new Error("enough"));
  await stopped;
  expect(performance.now() - started).toBeLessThan(1000);
  expect(refs()).toBe(false);
  const kept = readFileSync(`${blob(weights)}.incomplete`).length;
  expect(kept).toBeGreaterThan(0);
  await download();
  expect(hub.seen.at(-1)!.headers.range).toBe(`bytes=${kept}-`);
  expectWhole();
});
