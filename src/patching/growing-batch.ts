/**
 * The rows of a growing batch: of each input the base run, then its variants, as many of one input as of another. A new
 * variant of which one token is replaced is only that token until the next self-attention (models/scope.ts, Layout);
 * there it becomes a row.
 */
import { asTable, gather } from "../kernels/gather.ts";
import type { Gpu } from "../kernels/gpu.ts";
import { withRows } from "../kernels/rows.ts";
import { rowSize, rows, size, type Tensor } from "../kernels/tensor.ts";
import type { Layout } from "../models/scope.ts";

export interface GrowingBatch extends Layout {
  /** Adds a variant of each input, all of whose tokens are its own, or (`token`) only one; returns its number, from 1 on. */
  add(token: number | null): number;
  /** A copy of x with room for every variant, each filled with the values of its base run. */
  grown(label: string, x: Tensor): Tensor;
  /** The element of a grown tensor at which the row of a variant starts, or would start if it were there as a whole. */
  start(input: number, variant: number, x: Tensor): number;
}

/** The element of x at which what belongs to one of several inputs starts: one row may stand for all. */
export const startOf = (x: Tensor, input: number, inputs: number): number =>
  rows(x) === 1 ? 0 : (input * size(x.shape)) / inputs;

export function growingBatch(gpu: Gpu, inputs: number): GrowingBatch {
  /** For each variant: which token stands for it, or null for a whole row; the base run comes first. */
  const tokens: (number | null)[] = [null];
  /** Tokens of a row, while single tokens are about. */
  let length: number | undefined;

  /** Where each variant's tokens begin among all of an input; empty until it is asked for. */
  let offsets: number[] = [];

  const width = (variant: number) => (tokens[variant] === null ? length! : 1);

  function offset(variant: number): number {
    for (let i = offsets.length; i <= variant; i++) offsets.push(i === 0 ? 0 : offsets[i - 1]! + width(i - 1));
    return offsets[variant]!;
  }

  /** Vectors of x by their numbers within an input, `ids` for each of them. */
  const chosen = (label: string, x: Tensor, ids: readonly number[], shape: readonly [number, number]): Tensor => {
    const width = size(x.shape.slice(2));
    const first = Array.from({ length: inputs }, (_, input) => startOf(x, input, inputs) / width);
    const all = first.flatMap((own) => ids.map((id) => own + id));
    return vectors(gpu, label, x, all, shape);
  };

  /** Whole rows of `count` variants of each input, the base run's where x has fewer. */
  function repeated(label: string, x: Tensor, count: number): Tensor {
    if (inputs === 1) return withRows(gpu, label, x, count);
    const [all, row] = [x.shape[0]!, x.shape[1]!];
    const known = all === 1 ? 1 : all / inputs;
    const first = (variant: number) => (variant < known ? variant * row : 0);
    const ids = Array.from({ length: count * row }, (_, i) => first(Math.floor(i / row)) + (i % row));
    return chosen(label, x, ids, [inputs * count, row]);
  }

  /** x, of whole rows or of the tokens of fewer variants, with the tokens of all variants: [inputs, N, ...]. */
  function spread(label: string, x: Tensor): Tensor {
    const isSpread = x.shape[1] !== length;
    const known = isSpread ? x.shape[1]! : Math.ceil(rows(x) / inputs) * length!;
    const ids = tokens.flatMap((token, variant) => {
      const own = offset(variant) + width(variant) <= known;
      const first = own ? offset(variant) : (token ?? 0);
      return Array.from({ length: width(variant) }, (_, i) => first + i);
    });
    return chosen(label, x, ids, [inputs, ids.length]);
  }

  /** `count` tokens from `first` on of each variant, which is a row from here on. */
  function asRows(x: Tensor, first: number, count: number): Tensor {
    const ids = tokens.flatMap((token, variant) => {
      const own = offset(variant);
      return Array.from({ length: count }, (_, i) => first + i).map((at) =>
        token === null ? own + at : at === token ? own : at,
      );
    });
    const y = chosen(x.label, x, ids, [inputs * tokens.length, count]);
    tokens.fill(null);
    length = undefined;
    offsets = [];
    return y;
  }

  function beside(x: Tensor, like: Tensor): Tensor {
    if (length !== undefined) return x.shape[1] === like.shape[1] ? x : spread(x.label, x);
    const served = inputs === 1 || rows(x) === 1 || rows(x) >= rows(like); // kernels repeat row 0 of one input
    return served ? x : repeated(x.label, x, rows(like) / inputs);
  }

  return {
    inputs,
    add: (token) => tokens.push(token) - 1,
    grown(label, x) {
      if (length === undefined && tokens.every((token) => token === null)) return repeated(label, x, tokens.length);
      length ??= x.shape[1]!;
      return spread(label, x);
    },
    start(input, variant, x) {
      if (length === undefined) return (input * tokens.length + variant) * rowSize(x);
      return startOf(x, input, inputs) + (offset(variant) - (tokens[variant] ?? 0)) * size(x.shape.slice(2));
    },
    beside,
    whole: (x) => (length === undefined ? x : asRows(x, 0, length)),
    ending: (x) => (length === undefined ? x : asRows(x, length - 1, 1)),
  };
}

/** The vectors of x [B, T, ...] with these numbers, as [rows, tokens, ...]. */
function vectors(gpu: Gpu, label: string, x: Tensor, ids: readonly number[], shape: readonly [number, number]): Tensor {
  const inner = x.shape.slice(2);
  const width = size(inner);
  const table = asTable(x, size(x.shape) / width, width);
  const chosen = gather(gpu, label, table, gpu.upload("token numbers", shape, Uint32Array.from(ids)));
  return { ...chosen, shape: [...shape, ...inner] };
}
