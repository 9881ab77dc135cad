/** Two buffers in turns: while the device copies from one, the host fills the other. */

interface Slot {
  readonly buffer: GPUBuffer;
  /** When the host may fill it again. */
  free: Promise<void>;
}

const SLOTS = 2;

export class Staging {
  readonly #device: GPUDevice;
  #slots: Slot[] = [];
  #turn = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Has `fill` write `bytes` bytes, then `copy` record what the device does with them. */
  async pass(
    bytes: number,
    fill: (into: Uint8Array) => Promise<void>,
    copy: (encoder: GPUCommandEncoder, from: GPUBuffer) => void,
  ): Promise<void> {
    const slot = await this.#slot(bytes);
    await fill(new Uint8Array(slot.buffer.getMappedRange(0, bytes)));
    slot.buffer.unmap();
    const encoder = this.#device.createCommandEncoder();
    copy(encoder, slot.buffer);
    this.#device.queue.submit([encoder.finish()]);
    slot.free = slot.buffer.mapAsync(GPUMapMode.WRITE);
    slot.free.catch(() => {}); // a device that was closed meanwhile; who waits for it is told
  }

  async #slot(bytes: number): Promise<Slot> {
    this.#turn = (this.#turn + 1) % SLOTS;
    const known = this.#slots[this.#turn];
    await known?.free;
    if (known && known.buffer.size >= bytes) return known;
    known?.buffer.destroy();
    const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC;
    const buffer = this.#device.createBuffer({ size: bytes, usage, mappedAtCreation: true });
    const slot = { buffer, free: Promise.resolve() };
    this.#slots[this.#turn] = slot;
    return slot;
  }

  async release(): Promise<void> {
    const slots = this.#slots.filter((slot) => slot !== undefined);
    this.#slots = [];
    await Promise.all(slots.map(({ free }) => free));
    for (const { buffer } of slots) buffer.destroy();
  }
}
