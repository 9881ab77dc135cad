import { globals } from "webgpu";

const PIECE = new Uint8Array(2 ** 22).fill(0xff);

/** From now on all that a device makes of this process begins as NaN; returns how to have it as before. */
export function fillWithNaN(): () => void {
  const { prototype } = (globals as { GPUDevice: { prototype: GPUDevice } }).GPUDevice;
  const { createBuffer, createTexture } = prototype;
  prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    const { size, usage } = descriptor;
    if (usage & GPUBufferUsage.STORAGE)
      for (let at = 0; at < size; at += PIECE.length)
        this.queue.writeBuffer(buffer, at, PIECE, 0, Math.min(PIECE.length, size - at));
    return buffer;
  };
  prototype.createTexture = function (descriptor) {
    const texture = createTexture.call(this, descriptor);
    const { width, height } = texture;
    const rows = Math.floor(PIECE.length / (16 * width));
    for (let y = 0; y < height; y += rows) {
      const size = [width, Math.min(rows, height - y)];
      this.queue.writeTexture({ texture, origin: [0, y] }, PIECE, { bytesPerRow: 16 * width }, size);
    }
    return texture;
  };
  return () => Object.assign(prototype, { createBuffer, createTexture });
}
