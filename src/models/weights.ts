/** The weights a model asks for by their names in the checkpoint, in the form that a kernel reads. */
import type { Table } from "../kernels/gather.ts";
import type { Matrix } from "../kernels/matrix.ts";
import type { Tensor } from "../kernels/tensor.ts";

export interface Weights {
  /** The weight of a linear layer or a patch convolution, [outputs, inputs]. */
  matrix(name: string, outputs: number, inputs: number): Matrix;
  /** A vector or any small tensor, as float32. */
  vector(name: string, shape: readonly number[]): Tensor;
  /** A table of embeddings, [entries, width]. */
  table(name: string, entries: number, width: number): Table;
}
