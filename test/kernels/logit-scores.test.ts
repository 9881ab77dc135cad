import { describe, expect, test } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import { logitFields, logitScores } from "../../src/kernels/logit-scores.ts";
import { compute, devices, noise, U } from "./device.ts";

/** The fields in the order of the shader; the last two sums come with what rounding them may cost. */
function reference(z: Float32Array, clean: Float32Array, [correct, incorrect]: readonly [number, number]) {
  const largest = z.reduce((a, b) => Math.max(a, b));
  const cleanLargest = clean.reduce((a, b) => Math.max(a, b));
  const exp = (x: Float32Array, top: number) => x.reduce((sum, value) => sum + Math.exp(value - top), 0);
  const cleanSum = exp(clean, cleanLargest);
  let divergence = 0;
  let slack = 0;
  z.forEach((value, i) => {
    const [c, d] = [clean[i]! - cleanLargest, value - largest];
    const p = Math.exp(c) / cleanSum;
    divergence += p * (c - d);
    slack += U * p * (Math.abs(c - d) * (2 * Math.sqrt(z.length) - c + 12) + 2 * (Math.abs(c) + Math.abs(d)));
  });
  return {
    answers: [z[correct], z[incorrect]],
    largest,
    sum: exp(z, largest),
    top: z.indexOf(largest),
    rank: 1 + z.filter((value) => value > z[correct]!).length,
    cleanSum,
    divergence,
    slack,
  };
}

describe.each(devices)("tier $tier", ({ gpu }) => {
  const run = (z: Float32Array, clean: Float32Array, answers: readonly [number, number]) => {
    const [rows, width] = [z.length / clean.length, clean.length];
    return compute(gpu, () => {
      return logitScores(gpu, gpu.upload("logits", [rows, 1, width], z), gpu.upload("clean", [1, 1, width], clean), [
        answers,
      ]);
    });
  };

  /** Picked and counted numbers are exact; sums of exponentials are within (√width + 8) u, the divergence within `slack`. */
  test.for([
    [1, 1, [0, 0]],
    [3, 7, [2, 6]],
    [13, 241, [240, 0]],
    [5, 30_522, [2748, 2053]],
  ] as const)("%i rows of %i logits", async ([rows, width, answers]) => {
    const clean = noise(width, 9).map((value) => 3 * value);
    const z = noise(rows * width, 5).map((value, i) => 3 * value + clean[i % width]! / 2);
    const scores = await run(z, clean, answers);
    for (let row = 0; row < rows; row++) {
      const exact = reference(z.subarray(row * width, (row + 1) * width), clean, answers);
      const [correct, incorrect, largest, sum, top, rank, broken, cleanSum, divergence] = scores.subarray(
        row * logitFields,
      );
      expect([correct, incorrect, largest, top, rank, broken]).toEqual([
        ...exact.answers,
        exact.largest,
        exact.top,
        exact.rank,
        0,
      ]);
      const allowed = (Math.sqrt(width) + 8) * U;
      expect(Math.abs(sum! / exact.sum - 1)).toBeLessThanOrEqual(allowed);
      expect(Math.abs(cleanSum! / exact.cleanSum - 1)).toBeLessThanOrEqual(allowed);
      expect(Math.abs(divergence! - exact.divergence)).toBeLessThanOrEqual(exact.slack);
    }
  });

  test("diverges by nothing from itself", async () => {
    const clean = noise(241);
    expect((await run(clean, clean, [1, 2]))[8]).toBe(0);
  });

  test("takes the first of equal maxima, and ranks equals as one", async () => {
    const z = new Float32Array([1, 5, 5, 0, 5, 1, 1]);
    const [, , largest, , top, rank] = await run(z, z, [0, 1]);
    expect([largest, top, rank]).toEqual([5, 1, 4]);
  });

  test("counts NaN and both infinities", async () => {
    const z = noise(2 * 241);
    z.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.4e38, 1e-40], 17);
    new Uint32Array(z.buffer)[200] = 0xffffffff;
    const scores = await run(z, noise(241), [1, 2]);
    expect([scores[6], scores[logitFields + 6]]).toEqual([4, 0]);
  });

  test("rows of several runs have the bits of each run's own", async () => {
    const [z, clean] = [noise(6 * 241), noise(2 * 241, 9)];
    const both = [
      [3, 4],
      [240, 7],
    ] as const;
    const all = await compute(gpu, () =>
      logitScores(gpu, gpu.upload("logits", [6, 1, 241], z), gpu.upload("clean", [2, 1, 241], clean), both),
    );
    const own = async (i: 0 | 1) =>
      run(z.slice(i * 3 * 241, (i + 1) * 3 * 241), clean.slice(i * 241, (i + 1) * 241), both[i]);
    expect(all).toEqual(Float32Array.from([...(await own(0)), ...(await own(1))]));
  });

  test("a row has the same bits whatever the number of rows", async () => {
    const clean = noise(241, 9);
    const z = noise(13 * 241);
    const all = await run(z, clean, [3, 4]);
    for (const rows of [1, 5, 12]) {
      expect(await run(z.slice(0, rows * 241), clean, [3, 4])).toEqual(all.slice(0, rows * logitFields));
    }
  });
});

test("names the tensor whose shape is wrong", () => {
  const dry = openDry();
  expect(() => {
    logitScores(dry, dry.tensor("logits", [2, 1, 241]), dry.tensor("clean logits", [1, 1, 240]), [[0, 1]]);
  }).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: logitScores: clean logits has shape [1, 1, 240], expected [1, 1, 241]]`,
  );
  const [logits, clean] = [dry.tensor("logits", [3, 1, 241]), dry.tensor("clean logits", [2, 1, 241])];
  const answers = [
    [0, 1],
    [2, 3],
  ] as const;
  expect(() => logitScores(dry, logits, clean, answers)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: logitScores: logits has shape [3, 1, 241], expected [a multiple of 2, 1, 241]]`,
  );
});
