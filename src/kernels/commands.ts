/** Commands on their way to the device: recorded into passes, handed over in batches, an early one so that it starts. */

export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly immediates: Uint32Array<ArrayBuffer>;
  readonly workgroups: number;
}

const FIRST_BATCH = 16;
const BATCH = 64;

export class Commands {
  /** While set, all dispatches stay in one pass whose begin and end are timed. */
  timestamps: GPUComputePassTimestampWrites | undefined;
  readonly #device: GPUDevice;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #pending = 0;
  #batch = FIRST_BATCH;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  dispatch({ pipeline, group, immediates, workgroups }: Dispatch): void {
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass(this.timestamps ? { timestampWrites: this.timestamps } : undefined);
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, group);
    if (immediates.byteLength > 0) this.#pass.setImmediates(0, immediates);
    const x = Math.min(workgroups, 65_535);
    this.#pass.dispatchWorkgroups(x, Math.ceil(workgroups / x));
    this.#pending += 1;
    if (this.#pending >= this.#batch && !this.timestamps) {
      this.submit();
      this.#batch = BATCH;
    }
  }

  /** An encoder outside of any pass, for copies after all that was dispatched. */
  encoder(): GPUCommandEncoder {
    this.endPass();
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  submit(): void {
    if (!this.#encoder) return;
    this.endPass();
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
