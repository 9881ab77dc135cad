import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { rotary as shader } from "./shaders.gen.ts";
import { rows, size, type Tensor } from "./tensor.ts";

/** Cosines and sines [rows, tokens, dim] of every position; both halves of `dim` hold the same angles. */
export interface Angles {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/**
 * x [rows, tokens, heads, dim] turned by its positions' angles, element d with d + dim/2; rows obey the batch rule.
 * Hugging Face: `apply_rotary_pos_emb`.
 */
export function rotary(gpu: Gpu, label: string, x: Tensor, { cos, sin }: Angles): Tensor {
  const [, tokens, heads, dim] = x.shape as [number, number, number, number];
  if (dim % 2 === 1) throw new ShapeError("rotary", x, ["rows", "tokens", "heads", "an even number"]);
  for (const table of [cos, sin]) {
    if (table.shape[1] !== tokens || table.shape[2] !== dim) {
      throw new ShapeError("rotary", table, ["rows", tokens, dim]);
    }
  }
  const y = gpu.tensor(label, [Math.max(rows(x), rows(cos), rows(sin)), tokens, heads, dim]);
  const count = size(y.shape);
  gpu.run(
    shader,
    { HEADS: heads, DIM: dim },
    { x: x.memory, cos_table: cos.memory, sin_table: sin.memory, y: y.memory },
    { count, tokens, x_rows: rows(x), cos_rows: rows(cos), sin_rows: rows(sin) },
    groupsOf(count),
  );
  return y;
}

/**
 * The tables of positions first .. first + tokens - 1 as transformers makes them: inverse frequencies and angles are
 * float32, and so are the cosines and sines of those float32 angles. Each is [1, tokens, dim].
 */
export function rotaryTables(
  first: number,
  tokens: number,
  dim: number,
  theta: number,
): { cos: Float32Array; sin: Float32Array } {
  const { fround } = Math;
  const inverse = Array.from({ length: dim / 2 }, (_, i) => fround(1 / fround(theta ** fround((2 * i) / dim))));
  const table = (f: (angle: number) => number) =>
    Float32Array.from({ length: tokens * dim }, (_, i) => {
      const position = first + Math.floor(i / dim);
      return f(fround(position * inverse[i % (dim / 2)]!));
    });
  return { cos: table(Math.cos), sin: table(Math.sin) };
}
