/**
 * One sample of the miniature, three kinds and all heads: the growing batch against one cell at a time with nothing
 * reused, interleaved. Checks that both give the same bits, then times; prints cells per second and the ratio.
 */
import { openGpu } from "#gpu";
import { loadModel } from "../../src/models/load.ts";
import { type Cell, copySpans, extent } from "../../src/patching/cell.ts";
import { resolveKind } from "../../src/patching/kinds.ts";
import { type Pair, singleCell, sweepPair } from "../../src/patching/sweep.ts";

/** Cells that the slow path runs in a round; it takes about as long for every cell. */
const SINGLES = 12;
const ROUNDS = 3;

const gpu = await openGpu();
const model = await loadModel(gpu, "blip-mini");
const input = (image: string) =>
  model.input({ image: `data/miniature/mit_states/images/${image}`, text: "Is this heart red or blue?" });
const pair: Pair = {
  base: await input("blue heart/2.jpg"),
  other: await input("red heart/1.jpg"),
  answers: [96, 76],
  direction: "denoising",
};
const cells = ["output", "attention_block", "crossattention_block"].flatMap(cellsOf);

const swept = await sweepPair(model, pair, cells);
let fast = Number.POSITIVE_INFINITY;
let slow = Number.POSITIVE_INFINITY;
for (let round = 0; round < ROUNDS; round++) {
  fast = Math.min(fast, await seconds(() => sweepPair(model, pair, cells)));
  const chosen = Array.from({ length: SINGLES }, (_, i) =>
    Math.floor(((i + (round + 0.5) / ROUNDS) * cells.length) / SINGLES),
  );
  const each = await seconds(async () => {
    for (const i of chosen) {
      const { row } = await singleCell(model, pair, cells[i]!);
      if (JSON.stringify(row) !== JSON.stringify(swept.cells[i]))
        throw new Error(`cell ${i}: other bits alone than in the sweep`);
    }
  });
  slow = Math.min(slow, each / SINGLES);
}
console.log(`${gpu.info.name}, tier ${gpu.info.tier}`);
console.log(`sweep of ${cells.length} cells: ${fast.toFixed(2)} s, ${(cells.length / fast).toFixed(0)} cells/s`);
console.log(
  `one cell at a time: ${(1000 * slow).toFixed(0)} ms a cell, ${(slow * cells.length).toFixed(0)} s for all (from ${SINGLES} cells a round)`,
);
console.log(`ratio ${((slow * cells.length) / fast).toFixed(1)}`);
model.close();
gpu.close();

function cellsOf(kind: string): Cell[] {
  return resolveKind(model, kind).sites.flatMap(({ name, axes }) => {
    const shape = model.shapes(pair.base.ids.length).get(name)!.slice(1);
    const { tokens, heads } = extent(axes, shape);
    return Array.from({ length: tokens }, (_, token) =>
      [null, ...Array(heads).keys()].map((head): Cell => {
        const place = { toToken: token, fromToken: token, head };
        const spans = copySpans({ site: name, axes, to: shape, from: shape, ...place });
        return [{ site: name, source: "other", kind: "copy", factor: 0, spans }];
      }),
    ).flat();
  });
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
