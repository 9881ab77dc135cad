/** `notice download` as a user gives it: a model comes, is used without the network, is shared by processes, outlives kills. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { cli } from "../built.ts";
import { type HubServer, hubServer, plainFiles } from "../models/hub-server.ts";
import { expectRefusal, notice, noticeJson } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-download-"));
afterAll(() => rmSync(root, { recursive: true }));
let hub: HubServer;
afterEach(() => hub.close());

const environment = (cache: string) => ({
  HF_ENDPOINT: hub.endpoint,
  HF_HUB_CACHE: join(root, cache),
  HF_HUB_OFFLINE: "",
});

test("the miniature, served as a repository, is downloaded and answers", async () => {
  const folder = "weights/miniature/blip";
  const files = Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))]));
  hub = await hubServer("test/blip-mini", files);
  const start = { env: environment("mini") };

  expectRefusal(
    await notice(["download", "test/blip-mni"], start),
    /found no such model at .* \(404\); check the name/,
  );

  const { code, stdout, stderr } = await notice(["download", "test/blip-mini"], start);
  expect([code, stdout]).toEqual([0, `${join(root, "mini", "models--test--blip-mini", "snapshots", hub.commit)}\n`]);
  expect(stderr).toMatch(
    /^test\/blip-mini at [0-9a-f]{8}: downloads 8\.3 MB\n(?:.* of 8\.3 MB, .*\/s, \d+ s left\n)+$/,
  );
  expect(await noticeJson(["download", "test/blip-mini"], start)).toMatchObject({ revision: hub.commit, bytes: 0 });

  const asked = hub.seen.length;
  const picture = "data/miniature/mit_states/images/red heart/1.jpg";
  const question = ["--image", picture, "--text", "Is this heart red or blue?"];
  expect(await noticeJson(["run", "test/blip-mini", ...question], start)).toMatchObject({ answer: "red" });
  expect(hub.seen).toHaveLength(asked);
});

test("Ctrl-C stops it, and says that it goes on", async () => {
  hub = await hubServer("lab/model", plainFiles());
  hub.fault = ({ host }) => (host === "cdn" ? { silentAfter: 1000 } : undefined);
  const watch = (child: ChildProcess, stderr: string) => {
    if (stderr.includes("/s, ") && !child.killed) child.kill("SIGINT");
  };
  const { code, stderr, seconds } = await notice(["download", "lab/model"], { env: environment("interrupted"), watch });
  expect([code, stderr.split("\n").at(-2)]).toEqual([130, "notice: interrupted; the same command goes on from here"]);
  expect(seconds).toBeLessThan(10);
});

test("a killed download goes on; four processes make one transfer", async () => {
  const size = 2_000_000;
  hub = await hubServer("lab/model", plainFiles(size));
  hub.fault = ({ host }) => (host === "cdn" ? { slow: 20 } : undefined);
  const killed = start("shared");
  while (hub.sent < size / 3) await new Promise((wake) => setTimeout(wake, 5));
  killed.kill("SIGKILL");
  await ended(killed);
  const blob = join(root, "shared", "models--lab--model", "blobs", hub.hash("model.safetensors"));
  const kept = statSync(`${blob}.incomplete`).size;
  expect(kept).toBeGreaterThan(size / 5);

  const before = hub.sent;
  const children = Array.from({ length: 4 }, () => start("shared"));
  expect(await Promise.all(children.map(ended))).toEqual([0, 0, 0, 0]);
  expect(hub.sent - before).toBe(size - kept);
  expect(hub.seen.filter(({ host }) => host === "cdn")).toHaveLength(2);
  expect(readFileSync(blob).equals(hub.files.get("model.safetensors")!)).toBe(true);
  expect(readdirSync(join(root, "shared", ".locks", "models--lab--model"))).toEqual([]);
});

const start = (cache: string): ChildProcess =>
  spawn(process.execPath, [cli, "download", "lab/model"], {
    env: { ...process.env, ...environment(cache) },
    stdio: "ignore",
  });

const ended = (child: ChildProcess) => new Promise((done) => child.once("close", done));
