/** Two buffers in turns: while the device copies from one, the host fills the other. */

interface Slot {
  readonly buffer: GPUBuffer;
  /** When the host may fill it again. */
  readonly free: Promise<void>;
}

const SLOTS = 2;

export class Staging {
  readonly #device: GPUDevice;
  /** Those that nobody fills, the longest unused first. */
  #slots: Slot[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Has `fill` write `bytes` bytes, then `copy` record what the device does with them. */
  async pass(
    bytes: number,
    fill: (into: Uint8Array) => Promise<void>,
    copy: (encoder: GPUCommandEncoder, from: GPUBuffer) => void,
  ): Promise<void> {
    const buffer = await this.#take(bytes);
    try {
      await fill(new Uint8Array(buffer.getMappedRange(0, bytes)));
    } catch (error) {
      buffer.destroy(); // a range cannot be mapped twice
      throw error;
    }
    buffer.unmap();
    const encoder = this.#device.createCommandEncoder();
    copy(encoder, buffer);
    this.#device.queue.submit([encoder.finish()]);
    const free = buffer.mapAsync(GPUMapMode.WRITE);
    free.catch(() => {}); // a device that was closed meanwhile; who waits for it is told
    this.#slots.push({ buffer, free });
  }

  /** A mapped buffer of at least so many bytes. */
  async #take(bytes: number): Promise<GPUBuffer> {
    const slot = this.#slots.length < SLOTS ? undefined : this.#slots.shift();
    await slot?.free;
    if (slot && slot.buffer.size >= bytes) return slot.buffer;
    slot?.buffer.destroy();
    const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC;
    return this.#device.createBuffer({ size: bytes, usage, mappedAtCreation: true });
  }

  async release(): Promise<void> {
    const slots = this.#slots;
    this.#slots = [];
    await Promise.all(slots.map(({ free }) => free));
    for (const { buffer } of slots) buffer.destroy();
  }
}
