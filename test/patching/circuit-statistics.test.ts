/** Resampling, halves and signs, on data whose answers are known by hand or by another way of counting. */
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/data/random.ts";
import { falseDiscovery, signFlipTest } from "../../src/patching/circuit/signs.ts";
import {
  bootstrap,
  everySample,
  meansOf,
  type ScoreMatrix,
  spearman,
  splitHalf,
} from "../../src/patching/circuit-statistics.ts";
import { random } from "./synthetic.ts";

/** One list of samples for each cell; null where there is no value. */
function matrix(columns: readonly (readonly (number | null)[])[]): ScoreMatrix {
  const [cells, samples] = [columns.length, columns[0]!.length];
  const flat = Array.from({ length: samples * cells }, (_, i) => columns[i % cells]![Math.floor(i / cells)] ?? null);
  const present = flat.includes(null) ? Uint8Array.from(flat, (value) => Number(value !== null)) : null;
  return { samples, cells, values: Float32Array.from(flat, (value) => value ?? 0), present };
}

const noise = (count: number, seed: number, shift = 0): number[] => {
  const next = random(seed);
  return Array.from({ length: count }, () => Math.fround(next() - 0.5 + shift));
};

test("means leave out what is missing", () => {
  const { mean, strength } = meansOf(
    matrix([
      [1, -3, null],
      [null, null, null],
      [2, 2, 2],
    ]),
    Uint32Array.of(1, 2, 5),
  );
  expect([...mean]).toEqual([-5 / 3, Number.NaN, 2]);
  expect([...strength]).toEqual([7 / 3, Number.NaN, 2]);
});

describe("bootstrap", () => {
  test("the interval of a mean is that of the normal approximation, wide for few samples and narrow for many", () => {
    for (const count of [40, 400]) {
      const values = noise(count, 3, 0.2);
      const { mean } = bootstrap(matrix([values]), 4000, seededRandom(1));
      const centre = values.reduce((sum, value) => sum + value, 0) / count;
      const error = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0)) / count;
      const [low, high] = mean[0]!;
      // 4,000 draws know these percentiles to 0.042 standard errors; four times that
      expect(Math.abs((low - centre) / error + 1.96)).toBeLessThan(0.17);
      expect(Math.abs((high - centre) / error - 1.96)).toBeLessThan(0.17);
    }
  });

  test("draws what NumPy's generator draws, and takes the percentiles between values", () => {
    const values = noise(7, 5);
    const draw = seededRandom(9);
    const means = Array.from({ length: 10 }, () => {
      const drawn = new Array<number>(7).fill(0);
      for (let i = 0; i < 7; i++) drawn[draw.upTo(6)]!++;
      return drawn.reduce((sum, times, i) => sum + times * values[i]!, 0) / 7;
    }).sort((a, b) => a - b);
    const at = (place: number) =>
      means[Math.floor(place)]! + (place % 1) * (means[Math.ceil(place)]! - means[Math.floor(place)]!);
    expect(bootstrap(matrix([values]), 10, seededRandom(9)).mean[0]).toEqual([at(0.225), at(0.975 * 9)]);
  });

  test("equal samples have an interval without width, a cell without values none", () => {
    const { mean, strength } = bootstrap(
      matrix([
        [-2, -2, -2],
        [null, null, null],
      ]),
      50,
      seededRandom(1),
    );
    expect([mean, strength]).toEqual([
      [[-2, -2], null],
      [[2, 2], null],
    ]);
  });
});

describe("signs", () => {
  test("few samples: every choice of signs is counted", () => {
    const values = [0.5, 1, -0.25, 2, 1.5, -0.75];
    const sums = Array.from({ length: 2 ** 6 }, (_, signs) =>
      Math.abs(values.reduce((sum, value, i) => sum + ((signs >> i) & 1 ? value : -value), 0)),
    );
    const asFar = sums.filter((sum) => sum >= 4).length;
    const p = signFlipTest(matrix([values, [1, 1, 1, 1, 1, 1], [1, -1, 1, -1, 1, -1]]), 10_000, seededRandom(1));
    expect([...p]).toEqual([asFar / 64, 2 / 64, 1]);
  });

  test("sums that are equal but for rounding count as equal", () => {
    const cells = Array.from({ length: 20 }, (_, i) => [-(2 ** 30), 0.1 + i / 7, 0.3, 2 ** 30]);
    expect([...signFlipTest(matrix(cells), 100, seededRandom(1))]).toEqual(new Array(20).fill(12 / 16));
  });

  test("many samples: uniform under no effect, small under one, as the normal approximation says", () => {
    const cells = [...Array.from({ length: 200 }, (_, i) => noise(60, i)), noise(60, 900, 0.08), noise(60, 901, 0.5)];
    const p = [...signFlipTest(matrix(cells), 10_000, seededRandom(1))];
    const below = (level: number) => p.slice(0, 200).filter((value) => value < level).length / 200;
    for (const level of [0.05, 0.25, 0.5, 0.75]) expect(Math.abs(below(level) - level)).toBeLessThan(0.1);
    expect(p[201]).toBe(1 / 10_001);
    const [sum, squares] = cells[200]!.reduce(([s, q], value) => [s + value, q + value * value], [0, 0]);
    const tail = 1 - erf(Math.abs(sum) / Math.sqrt(2 * squares));
    expect(tail).toBeGreaterThan(0.005);
    expect(Math.abs(p[200]! - tail)).toBeLessThan(0.01);
  });

  test("a missing score has no sign; a cell without scores no p", () => {
    const p = signFlipTest(
      matrix([
        [1, null, 1, 1],
        [null, null, null, null],
      ]),
      100,
      seededRandom(1),
    );
    expect([...p]).toEqual([4 / 16, Number.NaN]);
  });
});

/** By its series, good to 1e-12 where it is used. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

test("q-values are those of Benjamini and Hochberg's paper", () => {
  const p = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1,
  ];
  const q = falseDiscovery([...p.toReversed(), Number.NaN]);
  expect(q[15]).toBeNaN();
  const found = [...q].slice(0, 15).toReversed();
  expect(found.filter((value) => value <= 0.05)).toHaveLength(4);
  expect(found[0]).toBeCloseTo(0.0015, 12);
  expect(found[3]).toBeCloseTo((0.0095 * 15) / 4, 12);
  expect(found[5]).toBeCloseTo((0.0298 * 15) / 7, 12);
  expect(found[14]).toBe(1);
});

test("Spearman: ranks alone count, ties share theirs, constants have none", () => {
  expect(spearman([1, 2, 3, 4], [1, 10, 100, 1000])).toBe(1);
  expect(spearman([1, 2, 3, Number.NaN], [9, 4, 1, 0])).toBe(-1);
  expect(spearman([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(0.9486832980505138, 12);
  expect(spearman([1, 1], [1, 2])).toBeNull();
});

test("halves: a head that every sample has is important in all splits, one that half of them have in few", () => {
  const strong = noise(20, 1, 3);
  const half = strong.map((value, i) => (i < 10 ? 2 * value : 0));
  const cells = [strong, half, ...Array.from({ length: 10 }, (_, i) => noise(20, 10 + i))];
  const above = (strength: Float64Array) => [...strength].map((value) => value > 2.9 - 0.5);
  const { important, rankCorrelation } = splitHalf(matrix(cells), 100, above, seededRandom(1))!;
  expect(important[0]).toBe(1);
  expect(important[1]).toBeGreaterThan(0.1);
  expect(important[1]).toBeLessThan(0.9);
  expect([...important].slice(2)).toEqual(new Array(10).fill(0));
  expect(rankCorrelation).toBeGreaterThan(0.3);
  expect(splitHalf(matrix([[1]]), 100, above, seededRandom(1))).toBeNull();
});

test("the same seed gives the same figures, another one others", () => {
  const scores = matrix([noise(30, 1, 0.05), noise(30, 2)]);
  const figures = (seed: number) => ({
    bootstrap: bootstrap(scores, 100, seededRandom(seed)),
    p: signFlipTest(scores, 500, seededRandom(seed)),
    halves: splitHalf(scores, 20, (strength) => [...strength].map((value) => value > 0.25), seededRandom(seed)),
  });
  expect(figures(4)).toEqual(figures(4));
  expect(figures(5).bootstrap).not.toEqual(figures(4).bootstrap);
  expect(figures(5).p).not.toEqual(figures(4).p);
  expect(everySample(scores)).toEqual(new Uint32Array(30).fill(1));
});
