/** An activation on the device: float32, row-major, rows (the batch) first. */
export interface Tensor {
  /** What it is, for messages: `linear(text_encoder.encoder.layer.0.output.dense)`. */
  readonly label: string;
  readonly shape: readonly number[];
  readonly memory: Memory;
}

/** A piece of device memory that the arena lends; `id` names it in the cache of bind groups. */
export interface Memory {
  readonly id: number;
  readonly bytes: number;
  /** Absent in a dry run, which only counts. */
  readonly buffer?: GPUBuffer;
  /** Of a part, where it begins in the buffer, in bytes. */
  readonly offset?: number;
}

/** A weight matrix that lies in a texture (matrix.ts). */
export interface TextureMemory {
  readonly id: number;
  readonly bytes: number;
  readonly texture?: GPUTexture;
  readonly view?: GPUTextureView;
}

export const size = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** The number of elements of one row of the batch. */
export const rowSize = (tensor: Tensor): number => size(tensor.shape.slice(1));

export const rows = (tensor: Tensor): number => tensor.shape[0]!;
