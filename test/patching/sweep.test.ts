import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openGpu } from "#gpu";
import type { Gpu, Tier } from "../../src/kernels/gpu.ts";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import type { Cell } from "../../src/patching/cell.ts";
import { resolveKind } from "../../src/patching/kinds.ts";
import { type Pair, singleCell, sweepPair } from "../../src/patching/sweep.ts";
import { pictures } from "../models/fixtures.ts";
import { copyCell } from "./copy-cell.ts";

/** Few by default, for speed; 20 in `npm run test:long`. */
const PROCESSES = process.env.NOTICE_LONG ? 20 : 4;

describe.each<{ tier: Tier }>([{ tier: "D" }, { tier: "B" }])("a sweep on tier $tier", ({ tier }) => {
  let gpu: Gpu;
  let model: Model;
  let pair: Pair;
  beforeAll(async () => {
    gpu = await openGpu({ tier, toggles: "safe" });
    model = await loadModel(gpu, "blip-mini");
    const input = (image: string) =>
      model.input({ image: `${pictures}/mit_states/images/${image}`, text: "Is this heart red or blue?" });
    const [base, other] = [await input("blue heart/2.jpg"), await input("red heart/1.jpg")];
    pair = { base, other, answers: [96, 76], direction: "denoising" };
  });
  afterAll(() => {
    model.close();
    gpu.close();
  });

  /** One cell at a token (and head) of each site that a pattern means. */
  const cellsOf = (pattern: string, token: number | null, head: number | null): Cell[] =>
    resolveKind(model, pattern).sites.map((site) => copyCell(model, pair.base, site, token, head));

  test.runIf(tier === "D" || process.env.NOTICE_LONG)(
    "cells of every kind have the same bits in one batch, in chunks of any size, and alone",
    async () => {
      const cells = [
        ...cellsOf("text_encoder.encoder.layer.*.output", 4, null),
        ...cellsOf("text_encoder.encoder.layer.*.crossattention.self", 2, 3),
        ...cellsOf("text_encoder.encoder.layer.*.attention.self.probs", 1, 0),
        ...cellsOf("text_encoder.encoder.layer.*.output.dense", 5, null),
      ].filter((_, i) => tier === "D" || i % 8 === 3);
      const whole = await sweepPair(model, pair, cells);
      for (const chunk of tier === "D" ? [1, 7] : [2])
        expect((await sweepPair(model, pair, cells, { chunk })).cells).toEqual(whole.cells);
      for (const i of tier === "D" ? [0, 5, 8, 14, 19, 23] : [1])
        expect((await singleCell(model, pair, cells[i]!)).row, `cell ${i}`).toEqual(whole.cells[i]);
    },
  );

  test.runIf(tier === "D")(
    "every site can be patched, and a patch alone gives the same bits as in a batch",
    async () => {
      const cells = model.sites
        .filter(({ name }) => !/layers?\.[1-9]/.test(name) || /layers?\.(2)\./.test(name))
        .flatMap(({ name }) => cellsOf(name, 3, 1));
      const { cells: rows } = await sweepPair(model, pair, cells);
      for (let i = 0; i < cells.length; i += process.env.NOTICE_LONG ? 3 : 16) {
        expect((await singleCell(model, pair, cells[i]!)).row, cells[i]![0]!.site).toEqual(rows[i]);
      }
    },
  );

  test.runIf(tier === "D")("patching a run with its own values changes no bit, at any site", async () => {
    const own = model.sites
      .filter(({ name }) => !/layers?\.[1-9]/.test(name))
      .flatMap(({ name }) => cellsOf(name, null, null))
      .map((cell) => cell.map((edit) => ({ ...edit, source: "base" })));
    const { cells, corrupt, changed } = await sweepPair(model, pair, own);
    for (const [i, row] of cells.entries()) expect(row, own[i]![0]!.site).toEqual(corrupt);
    expect(changed.some(Boolean)).toBe(false);
  });

  test.runIf(tier === "D")(
    "patching all that the decoder sees with the clean values gives the clean logits",
    async () => {
      const all = cellsOf("text_encoder.encoder.layer.5.output", null, null);
      const { cells, clean } = await sweepPair(model, pair, all);
      expect(cells[0]).toEqual(clean);
      const single = await singleCell(model, pair, all[0]!);
      expect(single.logits).toEqual((await model.run(pair.other)).logits);
    },
  );

  test.runIf(tier === "D")("noising patches the clean run with corrupt values", async () => {
    const noising: Pair = { base: pair.other, other: pair.base, answers: pair.answers, direction: "noising" };
    const all = cellsOf("text_encoder.encoder.layer.5.output", null, null);
    const denoised = await sweepPair(model, pair, all);
    const noised = await sweepPair(model, noising, all);
    expect(noised.cells[0]!.correct).toBe(denoised.corrupt.correct);
    expect(noised.clean).toEqual(denoised.clean);
    expect(noised.corrupt).toEqual(denoised.corrupt);
  });

  test.runIf(tier === "D")("edits of one cell at several sites are applied together", async () => {
    const first = cellsOf("text_encoder.encoder.layer.0.output", null, null)[0]!;
    const last = cellsOf("text_encoder.encoder.layer.5.output", null, null)[0]!;
    const { cells, clean } = await sweepPair(model, pair, [[...first, ...last], first]);
    expect(cells[0]).toEqual(clean);
    expect(cells[1]).not.toEqual(clean);
    expect((await singleCell(model, pair, [...first, ...last])).row).toEqual(cells[0]);
  });

  test.runIf(tier === "D")("a value that is not finite stops the sweep and names the first site", async () => {
    const [edit] = cellsOf("text_encoder.encoder.layer.3.intermediate", 2, null)[0]!;
    const broken: Cell = [{ ...edit!, kind: "fill", factor: Number.POSITIVE_INFINITY }];
    await expect(sweepPair(model, pair, [broken])).rejects.toThrow(
      /cell 0: .* the first such values are at text_encoder\.encoder\.layer\.3\.intermediate,/,
    );
  });
});

test(`${PROCESSES} processes give the same bits`, async () => {
  const program = `
    import { openGpu } from "./src/kernels/gpu.node.ts";
    import { loadModel } from "./src/models/load.ts";
    const gpu = await openGpu();
    const model = await loadModel(gpu, "blip-mini");
    const input = await model.input({ image: "${pictures}/svo_probes/images/0001.jpg", text: "Is the man or the woman walking by the car?" });
    const { activations } = await model.run(input, { capture: ["text_*.**", "vision_model.post_layernorm"] });
    for (const { data } of activations.values()) process.stdout.write(new Uint8Array(data.buffer));
    process.stdout.end();`;
  const run = async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", program],
      {
        encoding: "buffer",
        maxBuffer: 2 ** 28,
      },
    );
    return createHash("sha256").update(stdout).digest("hex");
  };
  const hashes = new Set<string>();
  for (let i = 0; i < PROCESSES / 2; i++) for (const hash of await Promise.all([run(), run()])) hashes.add(hash);
  expect(hashes.size).toBe(1);
}, 240_000);
