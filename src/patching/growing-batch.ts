/**
 * The rows of a growing batch: row 0 is the base run, every other is a variant of it. A new variant of which one token is
 * replaced is only that token until the next self-attention (models/scope.ts, Layout); there it becomes a row.
 */
import { asTable, gather } from "../kernels/gather.ts";
import type { Gpu } from "../kernels/gpu.ts";
import { withRows } from "../kernels/rows.ts";
import { rowSize, rows, size, type Tensor } from "../kernels/tensor.ts";
import type { Layout } from "../models/scope.ts";

export interface GrowingBatch extends Layout {
  /** Adds a variant, all of whose tokens are its own, or (`token`) only one; returns its number. */
  add(token: number | null): number;
  /** A copy of x with room for every variant, each filled with the base run's values. */
  grown(label: string, x: Tensor): Tensor;
  /** The element of a grown tensor at which the row of a variant starts, or would start if it were there as a whole. */
  start(variant: number, x: Tensor): number;
}

export function growingBatch(gpu: Gpu): GrowingBatch {
  /** For each variant: which token stands for it, or null for a whole row. */
  const tokens: (number | null)[] = [null];
  /** Tokens of a row, while single tokens are about. */
  let length: number | undefined;

  /** Where each variant's tokens begin among all; empty until it is asked for. */
  let offsets: number[] = [];

  const width = (variant: number) => (tokens[variant] === null ? length! : 1);

  function offset(variant: number): number {
    for (let i = offsets.length; i <= variant; i++) offsets.push(i === 0 ? 0 : offsets[i - 1]! + width(i - 1));
    return offsets[variant]!;
  }

  /** x, of whole rows or of the tokens of fewer variants, with the tokens of all variants: [1, N, ...]. */
  function spread(label: string, x: Tensor): Tensor {
    const isSpread = x.shape[1] !== length;
    const known = isSpread ? x.shape[1]! : rows(x) * length!;
    const ids = tokens.flatMap((token, variant) => {
      const own = offset(variant) + width(variant) <= known;
      const first = own ? offset(variant) : (token ?? 0);
      return Array.from({ length: width(variant) }, (_, i) => first + i);
    });
    return vectors(gpu, label, x, ids, [1, ids.length]);
  }

  /** `count` tokens from `first` on of each variant, which is a row from here on. */
  function asRows(x: Tensor, first: number, count: number): Tensor {
    const ids = tokens.flatMap((token, variant) => {
      const own = offset(variant);
      return Array.from({ length: count }, (_, i) => first + i).map((at) =>
        token === null ? own + at : at === token ? own : at,
      );
    });
    const y = vectors(gpu, x.label, x, ids, [tokens.length, count]);
    tokens.fill(null);
    length = undefined;
    offsets = [];
    return y;
  }

  return {
    add: (token) => tokens.push(token) - 1,
    grown(label, x) {
      if (length === undefined && tokens.every((token) => token === null))
        return withRows(gpu, label, x, tokens.length);
      length ??= x.shape[1]!;
      return spread(label, x);
    },
    start(variant, x) {
      if (length === undefined) return variant * rowSize(x);
      return (offset(variant) - (tokens[variant] ?? 0)) * size(x.shape.slice(2));
    },
    beside: (x, like) => (length === undefined || x.shape[1] === like.shape[1] ? x : spread(x.label, x)),
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
