/** y = x W^T + b. */
import { widened } from "./columns.ts";
import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { hasPanels, K_BLOCK, panelFor, setsFor, stripsTile, type TileSize, tilesOf } from "./group.ts";
import { isNf4, type Matrix, NF4_BLOCK } from "./matrix.ts";
import type { Shader } from "./shader.ts";
import {
  matmulFew,
  matmulMatrix,
  matmulPanel,
  matmulPanelHalf,
  matmulPanelNf4,
  matmul as matmulShader,
  matmulStrips,
  matmulStripsHalf,
  matmulStripsNf4,
} from "./shaders.gen.ts";
import { size, type Tensor, type TextureMemory } from "./tensor.ts";

/**
 * x [..., inputs] by weight [outputs, inputs] plus bias (of all that is stored of the weight): [..., outputs].
 * A row of the result has the same bits whatever the number of rows.
 * Hugging Face: `torch.nn.Linear`.
 */
export function matmul(gpu: Gpu, label: string, x: Tensor, weight: Matrix, bias?: Tensor): Tensor {
  const { outputs } = weight;
  const y = gpu.tensor(label, [...x.shape.slice(0, -1), outputs]);
  multiply(gpu, y, x, weight, outputs, bias);
  return y;
}

/**
 * The outputs in as many tensors [..., outputs / labels.length] as there are labels: one product where the device can lend
 * the parts of one piece of memory, else several. The same bits as `matmul` of each part.
 */
export function matmulParts(gpu: Gpu, labels: readonly string[], x: Tensor, weight: Matrix, bias?: Tensor): Tensor[] {
  const plane = weight.outputs / labels.length;
  const shape = [...x.shape.slice(0, -1), plane];
  const bytes = 4 * size(shape);
  if (labels.length === 1 || bytes % PART_BYTES !== 0 || labels.length * bytes > gpu.info.maxBindingBytes)
    return labels.map((label, i) => matmul(gpu, label, x, rowsOf(weight, i * plane, plane), bias));
  const y = gpu.tensor(labels.join(", "), [labels.length, ...shape]);
  multiply(gpu, y, x, weight, plane, bias);
  return gpu.split(y, labels);
}

/** Buffers are bound from multiples of so many bytes on. */
const PART_BYTES = 256;

/** Some neighbouring outputs of a weight. */
export const rowsOf = (weight: Matrix, first: number, outputs: number): Matrix => ({
  ...weight,
  first: weight.first + first,
  outputs,
});

/** Writes the outputs into y, in planes of `plane`. */
function multiply(gpu: Gpu, y: Tensor, x: Tensor, weight: Matrix, plane: number, bias?: Tensor): void {
  const { inputs, outputs, stored, first } = weight;
  if (x.shape.at(-1) !== inputs) throw new ShapeError("matmul", x, ["…", inputs]);
  if (bias && size(bias.shape) !== stored) throw new ShapeError("matmul", bias, [stored]);
  const vectors = size(x.shape) / inputs;
  gpu.flop += 2 * vectors * inputs * outputs;
  const name = formFor(gpu, weight, vectors);
  const { shader, overrides, tile } = form(gpu, weight, name);
  const rows = gpu.info.tier === "D" ? rowTexels(gpu, x) : x.memory;
  const bindings = { x: rows, weight: (weight.texture ?? weight.memory)!, bias: (bias ?? x).memory, y: y.memory };
  const params = { vectors, n: outputs, k: inputs, has_bias: Number(bias !== undefined), first, plane };
  const columns = outputs + (name === "panel" ? first % PANEL_LANES : 0);
  gpu.run(shader, overrides, bindings, params, tilesOf(tile, vectors, columns));
}

/** Each row begins with a texel. */
function rowTexels(gpu: Gpu, x: Tensor): TextureMemory {
  const inputs = x.shape.at(-1)!;
  return gpu.texels(inputs % 4 === 0 ? x : widened(gpu, x, 4 * Math.ceil(inputs / 4)));
}

/** Columns of a panel begin at a multiple of this, with the first lane (shaders/lib/matmul-panel.wgsl). */
const PANEL_LANES = 16;

/** A way to make a product. */
interface Form {
  readonly shader: MatmulShader<unknown>;
  readonly overrides: unknown;
  readonly tile: TileSize;
}

type MatmulShader<Overrides> = Shader<
  "x" | "weight" | "bias" | "y",
  Overrides,
  "vectors" | "n" | "k" | "has_bias" | "first" | "plane"
>;

/** Tiles of tier B by what a workgroup makes, each with the same bits; of tier D: group.ts. */
const tilesB = {
  "16 x 16": { rows: 16, columns: 16 },
  "64 x 64": { rows: 64, columns: 64 },
  "128 x 64": { rows: 128, columns: 64 },
  "64 x 128": { rows: 64, columns: 128 },
  "128 x 128": { rows: 128, columns: 128 },
} as const;

/** For subgroups of 8 lanes, or of 4 (group.ts). */
type SoftwareForm = "strips" | "panel";

export type FormName = keyof typeof tilesB | SoftwareForm | "matrix";

/** The forms that a weight can be multiplied in, all with the same bits, fit to be measured against each other. */
export function formNames(gpu: Gpu): FormName[] {
  if (gpu.info.tier === "A") return ["matrix"];
  if (gpu.info.tier === "B") return Object.keys(tilesB) as FormName[];
  return [hasPanels(gpu) ? "panel" : "strips"];
}

/** Products of as many inputs and outputs and about as many vectors: `matmul float16 768 x 3072, 256 vectors`. */
export const productClass = ({ format, inputs, outputs }: Matrix, vectors: number): string =>
  `matmul ${format} ${inputs} x ${outputs}, ${4 ** Math.min(6, Math.round(Math.log2(vectors) / 2))} vectors`;

/** So few vectors leave tiles of 64 rows mostly empty. */
const FEW = 16;

/** Large panels are faster, but take longer to compile: small models would not earn it back. */
const isLarge = ({ inputs, outputs }: Matrix): boolean => inputs * outputs > 2 ** 18;

/** What was measured to be fastest, else what a fixed table says. */
function formFor(gpu: Gpu, weight: Matrix, vectors: number): FormName {
  const { chosen } = gpu.tuning;
  const measured = chosen.size > 0 ? chosen.get(productClass(weight, vectors)) : undefined;
  if (measured) return measured as FormName;
  if (gpu.info.tier === "A") return "matrix";
  if (gpu.info.tier === "B") return vectors <= FEW ? "16 x 16" : "64 x 64";
  return hasPanels(gpu) ? "panel" : "strips";
}

function form(gpu: Gpu, weight: Matrix, name: FormName): Form {
  if (name === "strips" || name === "panel") return softwareForm(gpu, weight, name);
  const { format } = weight;
  const tile = tilesB[name === "matrix" ? "64 x 64" : name];
  const HALF = format === "float16" || format === "nf4-half";
  const overrides = { HALF, NF4: isNf4(format), ...halfOverride(gpu) };
  if (name === "matrix") return made(matmulMatrix, overrides, tile);
  if (name === "16 x 16") return made(matmulFew, overrides, tile);
  return made(matmulShader, { TALL: tile.rows / 64, WIDE: tile.columns / 64, ...overrides }, tile);
}

/**
 * Tier D. RAGGED: the last inputs do not fill the block that a kernel takes at a time, or rows of NF4 begin within blocks.
 */
function softwareForm(gpu: Gpu, weight: Matrix, name: SoftwareForm): Form {
  const { format, inputs, outputs } = weight;
  const RAGGED = inputs % (isNf4(format) ? NF4_BLOCK : K_BLOCK) !== 0;
  const overrides = { SG: gpu.info.subgroupSize, RAGGED };
  const half = { ...overrides, ...halfOverride(gpu) };
  const nf4 = { ...half, HALF: format === "nf4-half" };
  if (name === "panel" && isNf4(format)) {
    const panel = panelFor(1, isLarge(weight) ? setsFor(outputs) : 2); // NF4 takes long to compile
    return made(matmulPanelNf4, { ...nf4, ...panel.overrides }, panel.tile);
  }
  if (name === "panel") {
    const blocks = panelBlocks(weight);
    const panel = panelFor(blocks, blocks > 1 ? 2 : setsFor(outputs)); // their code stays within the instruction cache
    if (format === "float32") return made(matmulPanel, { ...overrides, ...panel.overrides }, panel.tile);
    return made(matmulPanelHalf, { ...half, ...panel.overrides }, panel.tile);
  }
  if (format === "float32") return made(matmulStrips, overrides, stripsTile);
  if (format === "float16") return made(matmulStripsHalf, half, stripsTile);
  return made(matmulStripsNf4, nf4, stripsTile);
}

/** Large panels take several blocks, and only where these fill a row. Float16 panels of eight would compile for 3 seconds. */
function panelBlocks(weight: Matrix): 1 | 4 | 8 {
  const fills = (blocks: number) => isLarge(weight) && weight.inputs % (blocks * K_BLOCK) === 0;
  if (weight.format === "float32" && fills(8)) return 8;
  return fills(4) ? 4 : 1;
}

const made = <Overrides>(shader: MatmulShader<Overrides>, overrides: Overrides, tile: TileSize): Form => ({
  shader,
  overrides,
  tile,
});

export const halfOverride = (gpu: Gpu) => ({ HALF_FLUSHES: gpu.info.halfFlushes });
