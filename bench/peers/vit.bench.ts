/**
 * A ViT-B/16-384 forward (BLIP-base's vision tower, 577 tokens) and its matrix products against onnxruntime's WebGPU
 * provider on the same adapter; one forward each in turn, best of a few. Where onnxruntime-node lies elsewhere:
 *
 *     PEERS_ORT=/path/to/node_modules/onnxruntime-node/dist/index.js npm run bench peers/vit
 */
import { openFolder } from "#files";
import { openGpu } from "#gpu";
import { matmul } from "../../src/kernels/matmul.ts";
import { emptyMatrix } from "../../src/kernels/matrix.ts";
import { readBlipConfig } from "../../src/models/blip/config.ts";
import { dryForward } from "../../src/models/blip/model.ts";
import { type BlipSite, lookAt } from "../../src/models/blip/vqa.ts";
import { openCheckpoint } from "../../src/models/checkpoint.ts";
import { loadWeights } from "../../src/models/load-weights.ts";
import { scope, untapped } from "../../src/models/scope.ts";
import { values } from "../../test/fullsize/synthetic.ts";
import { deviceTime } from "../kernels/device.ts";
import { fullSizeBlip } from "./full-size.ts";
import { fmaPeak } from "./limits.ts";
import { Graph } from "./onnx.ts";

const ROUNDS = 2;
const [TOKENS, WIDTH, MLP, HEADS, LAYERS] = [577, 768, 3072, 12, 12] as const;

interface Runtime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<{ run(feeds: object): Promise<unknown> }>;
  };
  readonly Tensor: new (type: string, data: Float32Array, shape: readonly number[]) => unknown;
}

const gpu = await openGpu();
const peak = await fmaPeak(gpu);
console.log(`${gpu.info.name}, tier ${gpu.info.tier}; ${peak.toFixed(0)} GFLOP/s at best`);

const { weights, config } = await visionWeights(await fullSizeBlip("F32"));
let image = 0;
const ours = async () => {
  const pixels = gpu.upload(
    "pixels",
    [1, 3, 384, 384],
    values(`input.${image++}`, [1, 3, 384, 384], 1, 0, 3 * 384 * 384),
  );
  await gpu.finish();
  const started = performance.now();
  const states = gpu.frame(() => lookAt(scope<BlipSite>(gpu, weights, untapped), config, pixels));
  await gpu.read(states);
  gpu.release(states, pixels);
  return (performance.now() - started) / 1000;
};
await ours();

const runtime = await openRuntime();
const session = runtime && (await vitSession(runtime));
let best = Number.POSITIVE_INFINITY;
let theirs = Number.POSITIVE_INFINITY;
for (let round = 0; round < ROUNDS; round++) {
  best = Math.min(best, await ours());
  if (session) theirs = Math.min(theirs, await seconds(session));
}
const flop = 2 * LAYERS * TOKENS * (4 * WIDTH * WIDTH + 2 * WIDTH * MLP + 2 * TOKENS * WIDTH);
console.log(`  ours: forward ${best.toFixed(2)} s, ${(flop / best / 1e9).toFixed(1)} GFLOP/s`);
if (session)
  console.log(
    `  onnxruntime's WebGPU provider: ${theirs.toFixed(2)} s; ours is ${(theirs / best).toFixed(1)} times as fast`,
  );
else console.log("  onnxruntime: not run; see bench/peers/README.md");

for (const outputs of [WIDTH, 3 * WIDTH, MLP]) {
  const work = product(outputs);
  const peer = runtime && (await productSession(runtime, outputs));
  let [own, other] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 4; round++) {
    own = Math.min(own, (await deviceTime(gpu, work)) / 1000);
    if (peer) other = Math.min(other, await seconds(peer));
  }
  const rate = (time: number) => ((2 * TOKENS * WIDTH * outputs) / time / 1e9).toFixed(1);
  console.log(
    `  ${TOKENS} x ${WIDTH} x ${outputs}: ours ${rate(own)} GFLOP/s${peer ? `, onnxruntime ${rate(other)}, ours is ${(other / own).toFixed(1)} times as fast` : ""}`,
  );
}
weights.release();
gpu.close();

/** The weights of a BLIP's vision tower. */
async function visionWeights(path: string) {
  const folder = await openFolder(path);
  const config = readBlipConfig(await folder.json("config.json"));
  const checkpoint = await openCheckpoint(folder);
  const asked = [...dryForward(config, 2).wanted].filter(([name]) => name.startsWith("vision_model."));
  const weights = await loadWeights(gpu, checkpoint, { wanted: new Map(asked), joined: [] });
  await checkpoint.close();
  return { weights, config };
}

function product(outputs: number) {
  const weight = emptyMatrix(gpu, "weight", outputs, WIDTH, "float32");
  const x = gpu.keep(gpu.tensor("x", [TOKENS, WIDTH]));
  return () => matmul(gpu, "y", x, weight);
}

async function openRuntime(): Promise<Runtime | undefined> {
  try {
    const found = await import(process.env.PEERS_ORT ?? "onnxruntime-node");
    return (found.default ?? found) as Runtime;
  } catch {
    return undefined;
  }
}

async function open({ InferenceSession, Tensor }: Runtime, bytes: Uint8Array, shape: readonly number[]) {
  const made = await InferenceSession.create(bytes, { executionProviders: ["webgpu"], logSeverityLevel: 3 });
  const count = shape.reduce((a, b) => a * b, 1);
  const feeds = { x: new Tensor("float32", values("input.peer", shape, 1, 0, count), shape) };
  const run = () => made.run(feeds);
  await run(); // compiles
  return run;
}

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

function productSession(runtime: Runtime, outputs: number) {
  const graph = new Graph();
  const weight = graph.weight("w", [WIDTH, outputs], small(WIDTH * outputs));
  const y = graph.op("MatMul", ["x", weight]);
  return open(runtime, graph.model({ name: "x", shape: [TOKENS, WIDTH] }, { name: y, shape: [TOKENS, outputs] }), [
    TOKENS,
    WIDTH,
  ]);
}

/** The same arithmetic as BLIP's vision tower behind its embeddings. */
function vitSession(runtime: Runtime) {
  const graph = new Graph();
  const linear = (x: string, name: string, inputs: number, outputs: number) =>
    graph.op("Add", [
      graph.op("MatMul", [x, graph.weight(`${name}.w`, [inputs, outputs], small(inputs * outputs))]),
      graph.weight(`${name}.b`, [outputs], small(outputs)),
    ]);
  const norm = (x: string, name: string) =>
    graph.op(
      "LayerNormalization",
      [x, graph.weight(`${name}.w`, [WIDTH], small(WIDTH).fill(1)), graph.weight(`${name}.b`, [WIDTH], small(WIDTH))],
      { axis: 2, epsilon: { float: 1e-5 } },
    );
  const split = graph.integers("split", [1, TOKENS, HEADS, WIDTH / HEADS]);
  const merged = graph.integers("merged", [1, TOKENS, WIDTH]);
  const scale = graph.weight("scale", [1], Float32Array.of((WIDTH / HEADS) ** -0.5));
  let x = "x";
  for (let layer = 0; layer < LAYERS; layer++) {
    const normal = norm(x, `${layer}.norm1`);
    const part = (name: string, perm: readonly number[]) =>
      graph.op("Transpose", [graph.op("Reshape", [linear(normal, `${layer}.${name}`, WIDTH, WIDTH), split])], { perm });
    const scores = graph.op("Mul", [graph.op("MatMul", [part("q", [0, 2, 1, 3]), part("k", [0, 2, 3, 1])]), scale]);
    const mixed = graph.op("MatMul", [graph.op("Softmax", [scores], { axis: 3 }), part("v", [0, 2, 1, 3])]);
    const joined = graph.op("Reshape", [graph.op("Transpose", [mixed], { perm: [0, 2, 1, 3] }), merged]);
    const middle = graph.op("Add", [linear(joined, `${layer}.out`, WIDTH, WIDTH), x]);
    const wide = graph.op("Gelu", [linear(norm(middle, `${layer}.norm2`), `${layer}.fc1`, WIDTH, MLP)]);
    x = graph.op("Add", [linear(wide, `${layer}.fc2`, MLP, WIDTH), middle]);
  }
  const shape = [1, TOKENS, WIDTH];
  return open(runtime, graph.model({ name: "x", shape }, { name: norm(x, "last"), shape }), shape);
}

/** Small values, so that nothing overflows. */
function small(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => ((i * 2654435761) % 1000) / 20000 - 0.025);
}
