/** A kernel together with its weights at a scope. */
import { columns as columnsKernel } from "../kernels/columns.ts";
import { gather } from "../kernels/gather.ts";
import { gelu as geluKernel } from "../kernels/gelu.ts";
import { layerNorm as layerNormKernel } from "../kernels/layer-norm.ts";
import { matmul, matmulParts } from "../kernels/matmul.ts";
import { quickGelu as quickGeluKernel } from "../kernels/quick-gelu.ts";
import { rmsNorm as rmsNormKernel } from "../kernels/rms-norm.ts";
import { size, type Tensor } from "../kernels/tensor.ts";
import type { Scope } from "./scope.ts";
import type { Linears } from "./weights.ts";

type Place = Pick<Scope<never>, "gpu" | "weights" | "path">;

const under = ({ path }: Place, name: string) => (path === "" ? name : `${path}.${name}`);

/** x [..., inputs] through the linear layer `name`: [..., outputs]; `biasName` null where it has no bias. */
export function linear(
  at: Place,
  name: string,
  x: Tensor,
  outputs: number,
  biasName: string | null = `${name}.bias`,
): Tensor {
  const { weight, bias } = linearAt(at, name, outputs, x.shape.at(-1)!, biasName);
  return matmul(at.gpu, under(at, name), x, weight, bias);
}

/** The outputs of the linear layer `name` in parts of the same width: [..., outputs / labels.length] each. */
export function linearParts(at: Place, name: string, x: Tensor, outputs: number, labels: readonly string[]): Tensor[] {
  const { weight, bias } = linearAt(at, name, outputs, x.shape.at(-1)!, `${name}.bias`);
  return matmulParts(at.gpu, labels, x, weight, bias);
}

function linearAt(at: Place, name: string, outputs: number, inputs: number, biasName: string | null): Linears {
  const names = { weight: under(at, `${name}.weight`), bias: biasName && under(at, biasName) };
  return at.weights.linears([names], outputs, inputs)[0]!;
}

/** x [..., inputs] through several linear layers of `outputs` outputs each, in one product where they lie side by side. */
export function linears(at: Place, names: readonly string[], x: Tensor, outputs: number, biased = true): Tensor[] {
  const paths = names.map((name) => under(at, name));
  const wanted = paths.map((path) => ({ weight: `${path}.weight`, bias: biased ? `${path}.bias` : null }));
  let done = 0;
  return at.weights.linears(wanted, outputs, x.shape.at(-1)!).flatMap(({ layers, weight, bias }) => {
    const labels = paths.slice(done, done + layers);
    done += layers;
    return matmulParts(at.gpu, labels, x, weight, bias);
  });
}

/** LayerNorm `name` of x, or of x + residual. */
export function layerNorm(at: Place, name: string, x: Tensor, eps: number, residual?: Tensor): Tensor {
  const width = x.shape.at(-1)!;
  const weight = at.weights.vector(under(at, `${name}.weight`), [width]);
  const bias = at.weights.vector(under(at, `${name}.bias`), [width]);
  return layerNormKernel(at.gpu, under(at, name), x, weight, bias, eps, residual);
}

/** Root-mean-square norm `name` of x. */
export function rmsNorm(at: Place, name: string, x: Tensor, eps: number): Tensor {
  const weight = at.weights.vector(under(at, `${name}.weight`), [x.shape.at(-1)!]);
  return rmsNormKernel(at.gpu, under(at, name), x, weight, eps);
}

export const gelu = (at: Place, x: Tensor): Tensor => geluKernel(at.gpu, `gelu(${x.label})`, x);

export const quickGelu = (at: Place, x: Tensor): Tensor => quickGeluKernel(at.gpu, `quickGelu(${x.label})`, x);

/** Rows of the embedding table `name`: ids [B, T] to [B, T, width]. */
export function embed(at: Place, name: string, ids: Tensor, entries: number, width: number): Tensor {
  return gather(at.gpu, under(at, name), at.weights.table(under(at, `${name}.weight`), entries, width), ids);
}

/** Columns first .. first + width. */
export const columns = (at: Place, x: Tensor, first: number, width: number): Tensor =>
  columnsKernel(at.gpu, `${x.label}[${first}…]`, x, first, width);

/** Tokens first .. first + count - 1 of x [B, T, ...]. */
export function tokens(at: Place, x: Tensor, first: number, count: number): Tensor {
  const [rows, total, ...rest] = x.shape as [number, number, ...number[]];
  const width = size(rest);
  const flat = { ...x, shape: [rows, total * width] };
  return { ...columns(at, flat, first * width, count * width), shape: [rows, count, ...rest] };
}

/** The last token of x [B, T, ...]: [B, 1, ...]. */
export const lastToken = (at: Place, x: Tensor): Tensor => (x.shape[1] === 1 ? x : tokens(at, x, x.shape[1]! - 1, 1));

/** x [B, T, heads·D] seen as [B, T, heads, D]: the same memory. */
export function heads(x: Tensor, count: number): Tensor {
  const [rows, tokens, width] = x.shape as [number, number, number];
  return { ...x, shape: [rows, tokens, count, width / count] };
}

/** x [B, T, heads, D] seen as [B, T, heads·D]: the same memory. */
export function merged(x: Tensor): Tensor {
  const [rows, tokens] = x.shape as [number, number];
  return { ...x, shape: [rows, tokens, size(x.shape) / rows / tokens] };
}
