/** Textures that a kernel's operands are copied into, to be read as texels (shaders/lib/texels.wgsl). */
import type { Arena } from "./arena.ts";
import { size, type Tensor, type TextureMemory } from "./tensor.ts";

/** Texels of a row: TEXELS of shaders/lib/texels.wgsl. */
export const ROW_TEXELS = 8192;

export class Operands {
  readonly #arena: Arena;
  /** The largest for each operand; a recording may still use a smaller one. */
  readonly #textures: TextureMemory[] = [];

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** A texture with room for a tensor's words; for each operand the same one, until there is a larger tensor. */
  texture(operand: number, { label, shape }: Tensor): TextureMemory {
    const rows = Math.max(1, Math.ceil(size(shape) / 4 / ROW_TEXELS));
    const largest = this.#textures[operand];
    if (largest && rows * ROW_TEXELS * 16 <= largest.bytes) return largest;
    const texture = this.#arena.texture(label, ROW_TEXELS, 2 ** Math.ceil(Math.log2(rows)));
    this.#textures[operand] = texture;
    return texture;
  }
}
