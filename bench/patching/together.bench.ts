/**
 * Eight samples of the miniature, one after another and in batches of 2, 4 and 8, interleaved, pictures included.
 * Checks that all give the same numbers, then times; prints ms a sample, dispatches and the ratio.
 */
import { openGpu } from "#gpu";
import { readDataFile } from "../../src/data/samples.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Input } from "../../src/models/model.ts";
import { resolveKind } from "../../src/patching/kinds.ts";
import { samplePair } from "../../src/patching/pair.ts";
import { layOut, type SampleResult, sweepSamples } from "../../src/patching/sample.ts";

const SAMPLES = 8;
const ROUNDS = 5;

const gpu = await openGpu();
const model = await loadModel(gpu, "blip-mini");
const { rows } = await readDataFile("data/miniature/samples.csv", "mit_states");
console.log(`${gpu.info.name}, tier ${gpu.info.tier}`);
await measure(["cls"], "none");
await measure(["output"], "none");
await measure(["output", "attention_block", "crossattention_block"], "all");
model.close();
gpu.close();

async function measure(names: readonly string[], heads: "none" | "all"): Promise<void> {
  const kinds = names.map((name) => resolveKind(model, name));
  const options = { heads, headPositions: ["last"], compat: "corrected", minDenominator: 1e-3 } as const;
  const pairs = await Promise.all(
    rows.slice(0, SAMPLES).map((row) => samplePair(model, row, { mode: "image", defects: {}, direction: "denoising" })),
  );
  let times = 0;
  const swept = async (together: number) => {
    times++;
    const anew = (input: Input): Input => ({ ...input, imageKey: `${input.imageKey}, time ${times}` });
    const laid = pairs.map((pair) => {
      return layOut(model, { ...pair, base: anew(pair.base), other: anew(pair.other) }, kinds, options);
    });
    const [started, before] = [performance.now(), gpu.dispatches];
    const results: SampleResult[] = [];
    for (let i = 0; i < SAMPLES; i += together)
      results.push(...(await sweepSamples(model, laid.slice(i, i + together))));
    return { results, ms: (performance.now() - started) / SAMPLES, dispatches: (gpu.dispatches - before) / SAMPLES };
  };
  const alone = JSON.stringify((await swept(1)).results);
  const best = new Map<number, { ms: number; dispatches: number }>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const together of [1, 2, 4, 8]) {
      const { results, ms, dispatches } = await swept(together);
      if (JSON.stringify(results) !== alone) throw new Error(`${together} at once: other numbers than one by one`);
      best.set(together, { ms: Math.min(ms, best.get(together)?.ms ?? Number.POSITIVE_INFINITY), dispatches });
    }
  }
  console.log(`${names.join(", ")}: ${layOut(model, pairs[0]!, kinds, options).cells.length} cells a sample`);
  for (const [together, { ms, dispatches }] of best) {
    const ratio = (best.get(1)!.ms / ms).toFixed(2);
    console.log(`  ${together} at once: ${ms.toFixed(1)} ms a sample, ${dispatches.toFixed(0)} dispatches, ${ratio} x`);
  }
}
