/** The weights a model asks for by their names in the checkpoint, in the form that a kernel reads. */
import type { Table } from "../kernels/gather.ts";
import type { Matrix } from "../kernels/matrix.ts";
import type { Tensor } from "../kernels/tensor.ts";

/** A linear layer or a patch convolution by the names of its weight and bias. */
export interface LinearName {
  readonly weight: string;
  readonly bias: string | null;
}

/** Linear layers side by side: weights [layers · outputs, inputs] and biases, as `matmulParts` takes them. */
export interface Linears {
  readonly layers: number;
  readonly weight: Matrix;
  readonly bias?: Tensor;
}

export interface Weights {
  /**
   * Linear layers [outputs, inputs] that read the same input, in their order: those that lie side by side on the device
   * together, so that one product makes them all.
   */
  linears(names: readonly LinearName[], outputs: number, inputs: number): readonly Linears[];
  /** A vector or any small tensor, as float32. */
  vector(name: string, shape: readonly number[]): Tensor;
  /** A table of embeddings, [entries, width]. */
  table(name: string, entries: number, width: number): Table;
}
