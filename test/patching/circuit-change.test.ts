/** A circuit before and after: counted here by hand and by another way than the code's. */
import { expect, test } from "vitest";
import { circuitChanges } from "../../src/patching/circuit/change.ts";
import type { Panel } from "../../src/patching/circuit/scores.ts";
import { random } from "./synthetic.ts";

/** Scores of 6 layers and 4 heads, one list for each sample. */
function panel(samples: readonly (readonly number[])[], change: Partial<Panel> = {}): Panel {
  return {
    ...{ task: "mit_states", mode: "image", kind: "crossattention_block", direction: "denoising", token: "answer" },
    layers: [0, 1, 2, 3, 4, 5],
    heads: [0, 1, 2, 3],
    sites: Array.from({ length: 6 }, (_, layer) => `text_encoder.encoder.layer.${layer}.crossattention.self`),
    missing: 0,
    left_out: {},
    matrix: { samples: samples.length, cells: 24, values: Float32Array.from(samples.flat()), present: null },
    ...change,
  };
}

const next = random(5);
const noise = () => Array.from({ length: 24 }, () => Math.fround(next() / 8 - 1 / 16));
/** The noise, and more at some heads. */
const with_ = (heads: Readonly<Record<number, number>>) => noise().map((value, c) => value + (heads[c] ?? 0));

const strengths = ({ matrix: { samples, cells, values } }: Panel): number[] =>
  Array.from({ length: cells }, (_, c) => {
    let sum = 0;
    for (let s = 0; s < samples; s++) sum += Math.abs(values[s * cells + c]!);
    return sum / samples;
  });

/** Names of the heads from mean + 2 standard deviations on, by the definition. */
function important(one: Panel): string[] {
  const all = strengths(one);
  const mean = all.reduce((a, b) => a + b) / all.length;
  const deviation = Math.sqrt(all.map((value) => (value - mean) ** 2).reduce((a, b) => a + b) / all.length);
  return all.flatMap((value, c) => (value >= mean + 2 * deviation ? [`L${c >> 2}.H${c % 4}`] : []));
}

/** 1 - 6 Σd² / n(n² - 1), for values of which no two are equal. */
function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const rank = (values: readonly number[], at: number) => values.filter((value) => value < values[at]!).length;
  const squares = a.map((_, i) => (rank(a, i) - rank(b, i)) ** 2).reduce((x, y) => x + y);
  return 1 - (6 * squares) / (a.length * (a.length ** 2 - 1));
}

test("heads kept, lost and new, ranks, and the largest change, as the definitions say", () => {
  const before = panel([with_({ 3: 2, 9: -2 }), with_({ 3: 2, 9: 2 })]);
  const after = panel([with_({ 3: 2, 20: 3 }), with_({ 3: -2, 20: -3 })], { left_out: { "failed in the sweep": 1 } });
  expect([important(before), important(after)]).toEqual([
    ["L0.H3", "L2.H1"],
    ["L0.H3", "L5.H0"],
  ]);
  const [found, ...others] = circuitChanges(
    { panels: [before], without: [] },
    { panels: [after], without: [] },
    2,
    true,
  );
  expect(others).toEqual([]);
  expect(found).toMatchObject({
    ...{ mode: "image", kind: "crossattention_block", samples: { before: 2, after: 2 } },
    ...{ both: ["L0.H3"], lost: ["L2.H1"], gained: ["L5.H0"], left_out: { "failed in the sweep": 1 } },
  });
  const [one, other] = [strengths(before), strengths(after)];
  expect(found!.rank_correlation).toBeCloseTo(rankCorrelation(one, other), 12);
  expect(found!.largest).toEqual({ head: "L5.H0", before: one[20], after: other[20] });
});

test("the same again changes nothing; another unit has no largest change", () => {
  const one = panel([with_({ 3: 2 })]);
  const same = { panels: [one], without: [] };
  expect(circuitChanges(same, same, 2, true)).toMatchObject([
    { both: important(one), lost: [], gained: [], rank_correlation: 1, largest: null, left_out: {} },
  ]);
  expect(circuitChanges(same, same, 2, false)[0]).not.toHaveProperty("largest");
});

test("each corruption and kind is compared with its own; where every row is lost, so are all heads", () => {
  const [image, text] = [panel([with_({ 3: 2 })]), panel([with_({ 9: 2 })], { mode: "text" })];
  const left_out = { "the original loses this row (D7)": 4 };
  const without = [{ task: "mit_states", mode: "text", kind: image.kind, direction: "denoising", left_out }] as const;
  expect(circuitChanges({ panels: [image, text], without: [] }, { panels: [image], without }, 2, true)).toMatchObject([
    { mode: "image", both: ["L0.H3"], lost: [] },
    {
      ...{ mode: "text", both: [], lost: ["L2.H1"], gained: [], rank_correlation: null },
      ...{ samples: { before: 1, after: 0 }, left_out },
    },
  ]);
});
