/**
 * One kind of NOTICE's sweep at full size (BLIP-VQA-base, synthetic weights, 12 tokens, 144 cells) against PyTorch on the
 * CPU, where a Python with torch and transformers is given:
 *
 *     PEERS_PYTHON=/path/to/python npm run bench peers/sweep
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openGpu } from "#gpu";
import { loadModel } from "../../src/models/load.ts";
import type { Model } from "../../src/models/model.ts";
import { type Cell, copySpans } from "../../src/patching/cell.ts";
import { resolveKind } from "../../src/patching/kinds.ts";
import { type Pair, singleCell, sweepPair } from "../../src/patching/sweep.ts";
import { values } from "../../test/fullsize/synthetic.ts";
import { fullSizeBlip } from "./full-size.ts";
import { fmaPeak } from "./limits.ts";

const TOKENS = 12;
const ROUNDS = 2;

interface Ours {
  readonly dtype: "F32" | "F16";
  readonly adapter: string;
  readonly loaded: number;
  readonly cells: number;
  readonly seconds: number;
  readonly flop: number;
  readonly peak: number;
}

// Each in a process of its own: a second device of one process finds memory in another state.
const asked = process.argv[2] as Ours["dtype"] | undefined;
if (asked) console.log(JSON.stringify(await measure(asked)));
else compare((["F32", "F16"] as const).map(measureApart));

function measureApart(dtype: Ours["dtype"]): Ours {
  const command = ["--import", "tsx", fileURLToPath(import.meta.url), dtype];
  const { stdout, status } = spawnSync(process.execPath, command, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`the sweep with ${dtype} weights failed`);
  const found = JSON.parse(stdout.trim().split("\n").at(-1)!) as Ours;
  const { adapter, loaded, cells, seconds, flop, peak } = found;
  console.log(
    `${adapter}, ${dtype}: loaded in ${loaded.toFixed(1)} s; ${cells} cells in ${seconds.toFixed(1)} s, ` +
      `${(flop / 1e9).toFixed(0)} GFLOP, ${(flop / seconds / 1e9).toFixed(1)} GFLOP/s ` +
      `(${((100 * flop) / seconds / 1e9 / peak).toFixed(0)} % of ${peak.toFixed(0)}, the peak measured now)`,
  );
  return found;
}

async function measure(dtype: Ours["dtype"]): Promise<Ours> {
  const gpu = await openGpu();
  const folder = await fullSizeBlip(dtype);
  const started = performance.now();
  const model = await loadModel(gpu, folder);
  const loaded = (performance.now() - started) / 1000;
  const cells = cellsOf(model, "output");
  let [seconds, flop] = [Number.POSITIVE_INFINITY, 0];
  for (let round = 0; round < ROUNDS; round++) {
    // Pictures of their own in each round, so that nothing is remembered.
    const pair: Pair = {
      base: await input(model, `corrupt ${round}`),
      other: await input(model, `clean ${round}`),
      answers: [1000, 2000],
      direction: "denoising",
    };
    const before = gpu.flop;
    const start = performance.now();
    const swept = await sweepPair(model, pair, cells);
    seconds = Math.min(seconds, (performance.now() - start) / 1000);
    flop = gpu.flop - before;
    if (round > 0) continue;
    const { row } = await singleCell(model, pair, cells[77]!);
    if (JSON.stringify(row) !== JSON.stringify(swept.cells[77])) throw new Error("cell 77: other bits alone");
  }
  const peak = await fmaPeak(gpu);
  const adapter = `${gpu.info.name}, tier ${gpu.info.tier}`;
  model.close();
  gpu.close();
  return { dtype, adapter, loaded, cells: cells.length, seconds, flop, peak };
}

function cellsOf(model: Model, kind: string): Cell[] {
  return resolveKind(model, kind).sites.flatMap(({ name, axes }) => {
    const shape = model.shapes(TOKENS).get(name)!.slice(1);
    return Array.from({ length: TOKENS }, (_, token): Cell => {
      const place = { toToken: token, fromToken: token, head: null };
      const spans = copySpans({ site: name, axes, to: shape, from: shape, ...place });
      return [{ site: name, source: "other", kind: "copy", factor: 0, spans }];
    });
  });
}

function input(model: Model, name: string) {
  const pixels = values(`input.${name}`, [1, 3, 384, 384], 1, 0, 3 * 384 * 384);
  return model.input({ pixels, ids: Array.from({ length: TOKENS }, (_, i) => 1000 + 7 * i) });
}

function compare(runs: readonly Ours[]): void {
  const python = process.env.PEERS_PYTHON;
  if (!python) {
    console.log("PyTorch: not run; give a Python with torch and transformers as PEERS_PYTHON");
    return;
  }
  const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...env } = process.env;
  const args = ["bench/peers/blip_sweep.py", "test/fixtures/fullsize/blip.config.json", "--tokens", String(TOKENS)];
  const { stdout, status, stderr } = spawnSync(python, args, { encoding: "utf8", env });
  if (status !== 0) throw new Error(`blip_sweep.py: ${stderr}`);
  const peer = JSON.parse(stdout.trim().split("\n").at(-1)!) as {
    torch: string;
    threads: number;
    cells: number;
    loop_cell_seconds: number;
    loop_seconds: number;
    fair_seconds: number;
  };
  console.log(
    `PyTorch ${peer.torch}, ${peer.threads} threads: the original's loop ${peer.loop_cell_seconds.toFixed(2)} s a cell, ` +
      `${peer.loop_seconds.toFixed(0)} s for ${peer.cells}; batched with the picture cached ${peer.fair_seconds.toFixed(1)} s`,
  );
  for (const { adapter, dtype, seconds } of runs)
    console.log(
      `  ${adapter}, ${dtype}: ${(peer.loop_seconds / seconds).toFixed(1)} times as fast as the loop, ` +
        `${(peer.fair_seconds / seconds).toFixed(2)} times as fast as the batched one`,
    );
}
