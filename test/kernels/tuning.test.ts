import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { openDry } from "../../src/kernels/dry.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { formNames, matmul, productClass } from "../../src/kernels/matmul.ts";
import { emptyMatrix, type Matrix, writeRows } from "../../src/kernels/matrix.ts";
import { tuningFile } from "../../src/kernels/tuning.node.ts";
import { type Choices, tune } from "../../src/kernels/tuning.ts";
import { bitsOf, compute, devices, noise } from "./device.ts";

function matrixOf(gpu: Gpu, outputs: number, inputs: number): Matrix {
  const matrix = emptyMatrix(gpu, "weight", outputs, inputs, "float32");
  writeRows(gpu, matrix, 0, new Uint32Array(noise(outputs * inputs, 2).buffer));
  return matrix;
}

// On tier B, in one format: formats differ in reading alone, and each form is a program that compiles for a second.
test("all forms of products have the same bits", async () => {
  const { gpu } = devices[1];
  const names = formNames(gpu);
  expect(names.length).toBeGreaterThan(1);
  const [vectors, inputs, outputs] = [133, 200, 136];
  const weight = matrixOf(gpu, outputs, inputs);
  const made = [];
  for (const name of names) {
    gpu.tuning.chosen.set(productClass(weight, vectors), name);
    made.push(
      await compute(gpu, () => {
        const x = gpu.upload("x", [vectors, inputs], noise(vectors * inputs));
        return matmul(gpu, "y", x, weight, gpu.upload("bias", [outputs], noise(outputs, 3)));
      }),
    );
  }
  gpu.tuning.chosen.clear();
  for (const [i, y] of made.entries()) expect(bitsOf(y), names[i]).toEqual(bitsOf(made[0]!));
});

/** The device runs as it does; how long it took is said by the test, for a machine may be slow. */
function timed(gpu: Gpu, nanoseconds: (call: number) => number) {
  const time = gpu.time.bind(gpu);
  const spy = vi.spyOn(gpu, "time");
  return spy.mockImplementation(async (work) => {
    const call = spy.mock.calls.length - 1;
    await time(work);
    return nanoseconds(call);
  });
}

test("measures each class of shapes once, and takes what was measured from then on", async () => {
  const { gpu } = devices[1];
  let kept: Choices = {};
  const store = {
    read: async () => kept,
    write: async (choices: Choices) => {
      kept = choices;
    },
  };
  Object.assign(gpu.tuning, { store });
  const names = formNames(gpu);
  const time = timed(gpu, (call) => 1000 - call); // the last form is the fastest, in each class
  const [small, same] = [matrixOf(gpu, 24, 16), matrixOf(gpu, 24, 16)];
  await tune(gpu, [small, same]);
  const classes = [1, 4, 16, 64, 256, 1024, 4096].map((count) => `matmul float32 16 x 24, ${count} vectors`);
  expect(Object.keys(kept)).toEqual(classes);
  expect(Object.values(kept)).toEqual(classes.map(() => names.at(-1)));
  expect(time).toHaveBeenCalledTimes(classes.length * names.length * 3);

  gpu.tuning.chosen.clear();
  kept = { ...kept, [classes[0]!]: "a form of another version" };
  await tune(gpu, [small]);
  expect(time).toHaveBeenCalledTimes((classes.length + 1) * names.length * 3);
  expect(kept[classes[0]!]).toBe(names.at(-1));
  time.mockRestore();

  gpu.tuning.chosen.clear();
  kept = {};
  const slow = timed(gpu, (call) => (call < names.length * 3 ? 1 : 1e9 + call));
  await tune(gpu, [small]); // one vector is fast; from four on the first form is, and takes long
  expect(slow).toHaveBeenCalledTimes(2 * names.length * 3);
  expect(Object.values(kept)).toEqual(classes.map(() => names[0]));
  Object.assign(gpu.tuning, { store: undefined });
  gpu.tuning.chosen.clear();
  slow.mockRestore();
});

test("nothing is measured where no store is given, or there is one form alone", async () => {
  const { gpu } = devices[1];
  const time = vi.spyOn(gpu, "time");
  await tune(gpu, [matrixOf(gpu, 24, 16)]);
  expect(time).not.toHaveBeenCalled();
  const dry = openDry({ tier: "A" });
  const write = vi.fn();
  const alone = { ...dry, tuning: { chosen: new Map<string, string>(), store: { read: async () => ({}), write } } };
  await tune(alone, [emptyMatrix(dry, "weight", 24, 16, "float32")]);
  expect(write).not.toHaveBeenCalled();
});

test("choices are kept in a file of the user's cache; a damaged one is made anew, one that cannot be written is done without", async () => {
  const cache = mkdtempSync(join(tmpdir(), "notice-tuning-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
  try {
    const store = tuningFile("an adapter");
    expect(await store.read()).toEqual({});
    await store.write({ "a class": "a form" });
    expect(await tuningFile("an adapter").read()).toEqual({ "a class": "a form" });
    expect(await tuningFile("another adapter").read()).toEqual({});
    const folder = join(cache, "notice-webgpu", "tuning");
    const [file] = readdirSync(folder);
    expect(JSON.parse(readFileSync(join(folder, file!), "utf8"))).toMatchObject({ subject: "an adapter" });
    writeFileSync(join(folder, file!), '{"choices": {"a cl');
    expect(await store.read()).toEqual({});
    vi.stubEnv("XDG_CACHE_HOME", join(folder, file!));
    await tuningFile("an adapter").write({ "a class": "a form" });
  } finally {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true });
  }
});
