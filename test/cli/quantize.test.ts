/** `--quantize nf4` in a sweep: it runs, is written down, and is not mixed with other weights. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { notice } from "./command-line.ts";

const out = mkdtempSync(join(tmpdir(), "notice-quantize-"));
afterAll(() => rmSync(out, { recursive: true }));

const sweep = (...more: string[]) =>
  notice([
    ...["sweep", "blip-mini", "--task", "mit_states", "--data", "data/miniature/samples.csv", "--mode", "image"],
    ...["--kind", "output", "--samples", "1", "--out", out, ...more],
  ]);

test("a sweep on NF4 weights says so, and goes on with no others", { timeout: 120_000 }, async () => {
  const run = await sweep("--quantize", "nf4");
  expect(run.stderr).toContain("exact float32 on nf4 weights");
  expect(run.code).toBe(0);
  expect(JSON.parse(readFileSync(join(out, "run.json"), "utf8")).model.quantize).toBe("nf4");
  const other = await sweep();
  expect(other.stderr).toContain('model.quantize: "nf4" -> nothing');
  expect(other.code).toBe(2);
});

test("another word is refused before anything is loaded", async () => {
  const { code, stderr } = await sweep("--quantize", "int8");
  expect(stderr).toBe('notice: --quantize: got "int8", expected nf4\n');
  expect(code).toBe(2);
});
