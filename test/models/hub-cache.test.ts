/** Where the cache is, by the environment, and which names lead into it. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { checkRevision, hubCache, hubEndpoint, isHubName, isOffline, shelfOf } from "../../src/models/hub-cache.ts";
import { expectUserError } from "../cli/command-line.ts";

const variables = ["HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE"];
beforeEach(() => {
  for (const name of variables) vi.stubEnv(name, "");
});

test.for<[Record<string, string>, string]>([
  [{ HF_HUB_CACHE: "/a", HF_HOME: "/b", XDG_CACHE_HOME: "/c" }, "/a"],
  [{ HF_HOME: "/b", XDG_CACHE_HOME: "/c" }, "/b/hub"],
  [{ XDG_CACHE_HOME: "/c" }, "/c/huggingface/hub"],
  [{}, join(homedir(), ".cache/huggingface/hub")],
])("%j puts the cache at %s", ([given, expected]) => {
  for (const [name, value] of Object.entries(given)) vi.stubEnv(name, value);
  expect(hubCache()).toBe(resolve(expected));
  expect(shelfOf("org/name").blob("e")).toBe(resolve(expected, "models--org--name", "blobs", "e"));
});

test("HF_ENDPOINT and HF_HUB_OFFLINE", () => {
  expect([hubEndpoint(), isOffline()]).toEqual(["https://huggingface.co", false]);
  vi.stubEnv("HF_ENDPOINT", "https://mirror.org/hub/");
  vi.stubEnv("HF_HUB_OFFLINE", "true");
  expect([hubEndpoint(), isOffline()]).toEqual(["https://mirror.org/hub", true]);
});

test("names of the Hub", () => {
  for (const name of ["Salesforce/blip-vqa-base", "llava-hf/llava-1.5-7b-hf", "a/b_c"])
    expect(isHubName(name)).toBe(true);
  const none = [
    "blip-mini",
    "./model",
    "../model",
    "a/b/c",
    "a--b/c",
    "a/b..c",
    "a/b.",
    "a/..",
    "-a/b",
    "a/b c",
    "/a",
    "a\\b",
  ];
  expect(none.filter(isHubName)).toEqual([]);
});

test("revisions are files below refs, and nowhere else", async () => {
  expect(checkRevision("refs/pr/7")).toBe("refs/pr/7");
  for (const revision of ["", "..", "../main", "/main", "a//b", "C:main", "a\\b", "%2e%2e/x"]) {
    await expectUserError(() => checkRevision(revision), /^revision ".*" .*, expected a branch, a tag, a commit/);
  }
});
