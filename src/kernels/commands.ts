/** Commands on their way to the device: recorded into passes, handed over in batches, an early one so that it starts. */
import { ROW_TEXELS } from "./operands.ts";
import type { Memory, TextureMemory } from "./tensor.ts";

export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly immediates: Uint32Array<ArrayBuffer>;
  readonly workgroups: number;
}

/** Memory, so many texels of it, that goes into a texture. */
export interface TexelCopy {
  readonly memory: Memory;
  readonly texture: TextureMemory;
  readonly count: number;
}

const FIRST_BATCH = 16;
const BATCH = 64;

export class Commands {
  readonly #device: GPUDevice;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #pending = 0;
  #batch = FIRST_BATCH;
  /** Where times are written: all dispatches then stay in one batch. */
  #times: GPUQuerySet | undefined;
  #begun = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  dispatch({ pipeline, group, immediates, workgroups }: Dispatch): void {
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass ??= this.#beginPass(this.#encoder);
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, group);
    if (immediates.byteLength > 0) this.#pass.setImmediates(0, immediates);
    const x = Math.min(workgroups, 65_535);
    this.#pass.dispatchWorkgroups(x, Math.ceil(workgroups / x));
    this.#pending += 1;
    if (this.#pending >= this.#batch && !this.#times) {
      this.submit();
      this.#batch = BATCH;
    }
  }

  copyTexels({ memory, texture, count }: TexelCopy): void {
    const rows = Math.floor(count / ROW_TEXELS);
    if (rows > 0) this.#copyTexels(memory, texture, 0, [ROW_TEXELS, rows]);
    const rest = count % ROW_TEXELS;
    if (rest > 0) this.#copyTexels(memory, texture, rows, [rest, 1]);
  }

  #copyTexels({ buffer, offset = 0 }: Memory, { texture }: TextureMemory, row: number, size: [number, number]): void {
    const bytesPerRow = 16 * ROW_TEXELS;
    const source = { buffer: buffer!, offset: offset + row * bytesPerRow, bytesPerRow };
    this.encoder().copyBufferToTexture(source, { texture: texture!, origin: [0, row] }, size);
  }

  /** The begin of the first pass from now on is time 0. */
  startTiming(times: GPUQuerySet): void {
    this.#times = times;
    this.#begun = false;
  }

  /** The end of all that was dispatched is time 1. */
  stopTiming(): void {
    const querySet = this.#times!;
    this.#times = undefined;
    this.encoder()
      .beginComputePass({ timestampWrites: { querySet, endOfPassWriteIndex: 1 } })
      .end();
  }

  #beginPass(encoder: GPUCommandEncoder): GPUComputePassEncoder {
    if (!this.#times || this.#begun) return encoder.beginComputePass();
    this.#begun = true;
    return encoder.beginComputePass({ timestampWrites: { querySet: this.#times, beginningOfPassWriteIndex: 0 } });
  }

  /** An encoder outside of any pass, for copies after all that was dispatched. */
  encoder(): GPUCommandEncoder {
    this.#endPass();
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  submit(): void {
    if (!this.#encoder) return;
    this.#endPass();
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#pending = 0;
  }

  /** Hands everything over; the next batch is an early one. */
  finish(): void {
    this.submit();
    this.#batch = FIRST_BATCH;
  }
}
