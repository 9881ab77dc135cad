/** A Hub and an empty cache for each test of a file; the environment leads to both. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, vi } from "vitest";
import { findModel } from "../../src/models/hub.ts";
import { shelfOf } from "../../src/models/hub-cache.ts";
import { type DownloadOptions, downloadModel } from "../../src/models/hub-download.node.ts";
import { type Fault, type HubServer, hubServer, plainFiles } from "./hub-server.ts";

const root = mkdtempSync(join(tmpdir(), "notice-hub-"));
afterAll(() => rmSync(root, { recursive: true }));

export const model = "lab/model";
export const weights = "model.safetensors";
export const size = 2_000_000;
export const quick = { backoffMilliseconds: 1, stallMilliseconds: 20_000 };
export let hub: HubServer;
let caches = 0;

beforeEach(async () => {
  await serve(plainFiles(size));
});
afterEach(() => hub.close());

export async function serve(files: Record<string, Uint8Array>): Promise<void> {
  await hub?.close();
  hub = await hubServer(model, files);
  const home = join(root, String(caches++));
  mkdirSync(home);
  const none = { HF_HUB_CACHE: "", HF_TOKEN: "", HF_HUB_OFFLINE: "" };
  for (const [name, value] of Object.entries({ ...none, HF_HOME: home, HF_ENDPOINT: hub.endpoint })) {
    vi.stubEnv(name, value);
  }
}

export const download = (options: DownloadOptions = {}) => downloadModel(model, { ...quick, ...options });
export const blob = (file: string) => shelfOf(model).blob(hub.hash(file));
export const refs = () => readdirSync(shelfOf(model).folder).includes("refs");

/** Faults of the answers that carry the weights' bytes, by their number. */
export const ofWeights = (fault: (nth: number) => Fault | undefined) => {
  hub.fault = (seen, nth) => (seen.host === "cdn" && seen.file === weights ? fault(nth) : undefined);
};

export function expectWhole(): void {
  const folder = findModel(model);
  for (const [file, bytes] of hub.files) {
    if (file !== "README.md") expect(readFileSync(join(folder, file)).equals(bytes), file).toBe(true);
  }
  expect(readdirSync(join(shelfOf(model).folder, "blobs")).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
}
