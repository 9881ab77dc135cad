/**
 * Device memory, lent and taken back. Buffers come in size classes and are reused lowest number first, so that the
 * same forward gets the same buffers each time and finds its bind groups ready made. A ledger counts every byte and
 * refuses what does not fit before it is asked for: software adapters do not report that memory ran out.
 */
import { MemoryError } from "./errors.ts";
import type { AdapterInfo } from "./gpu.ts";
import { type Memory, size, type Tensor, type TextureMemory } from "./tensor.ts";

interface Loan extends Memory {
  readonly class: number;
  /** The same parts each time, so that bind groups find them again. */
  readonly parts: Map<string, Part>;
}

interface Part extends Memory {
  readonly whole: Loan;
}

/** Where memory comes from; a dry run has none and only counts. */
export interface Allocator {
  buffer(bytes: number, usage: "storage" | "landing"): GPUBuffer | undefined;
  texture(label: string, width: number, height: number): GPUTexture | undefined;
  readonly maxTextureSide: number;
}

/** Bytes in all, and in one piece. */
type Limits = Pick<AdapterInfo, "memoryBytes" | "maxBindingBytes">;

export class Arena {
  bytes = 0;
  readonly #allocator: Allocator;
  readonly #limits: Limits;
  /** Called before memory is destroyed: nothing may be left to do with it, nor a bind group hold it. */
  readonly #forget: () => void;
  readonly #free = new Map<number, Loan[]>();
  readonly #frames: Set<Memory>[] = [];
  readonly #lent = new Set<Memory>();
  /** What was destroyed, and a recording may still name. */
  readonly #gone = new WeakSet<Memory>();
  /** How many parts are lent of what was split. */
  readonly #partsLent = new Map<Loan, number>();
  readonly #textures = new Set<TextureMemory>();
  readonly #landings = new Map<number, GPUBuffer[]>();
  #next = 1;

  constructor(allocator: Allocator, limits: Limits, forget: () => void) {
    this.#allocator = allocator;
    this.#limits = limits;
    this.#forget = forget;
  }

  take(label: string, bytes: number): Memory {
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`arena: ${label} asks for ${bytes} bytes`);
    const { maxBindingBytes } = this.#limits;
    if (bytes > maxBindingBytes) {
      throw new MemoryError(
        `${label} needs ${mebibytes(bytes)} in one piece, this adapter binds at most ${mebibytes(maxBindingBytes)}; use fewer rows at once`,
      );
    }
    const loan = this.#reuse(bytes) ?? this.#create(label, bytes);
    this.#lent.add(loan);
    this.#frames.at(-1)?.add(loan);
    return loan;
  }

  /** Lends these very pieces again, all or none. */
  claim(memories: ReadonlySet<Memory>): boolean {
    for (const memory of memories) if (this.#lent.has(memory) || this.#gone.has(memory)) return false;
    for (const memory of memories) {
      const free = this.#free.get((memory as Loan).class)!;
      free.splice(free.indexOf(memory as Loan), 1);
      this.#lent.add(memory);
      this.#frames.at(-1)?.add(memory);
    }
    return true;
  }

  frame<T>(work: () => T): T {
    const own = new Set<Memory>();
    this.#frames.push(own);
    let result: T | undefined;
    try {
      result = work();
      return result;
    } finally {
      this.#frames.pop();
      for (const memory of memories(result)) if (own.delete(memory)) this.#frames.at(-1)?.add(memory);
      for (const memory of own) this.give(memory);
    }
  }

  /** From now on the memory belongs to no frame. */
  keep(memory: Memory): void {
    for (const frame of this.#frames) frame.delete(memory);
  }

  give(memory: Memory): void {
    if (!this.#lent.delete(memory)) return;
    this.keep(memory);
    if ("whole" in memory) this.#givePart(memory as Part);
    else this.#giveLoan(memory as Loan);
  }

  #giveLoan(loan: Loan): void {
    const free = this.#free.get(loan.class)!;
    const at = free.findIndex((other) => other.id > loan.id);
    free.splice(at === -1 ? free.length : at, 0, loan);
  }

  /** The parts of a tensor [parts, ...]: what was lent as one is from now on lent as many. */
  split({ shape: [count, ...shape], memory }: Tensor, labels: readonly string[]): Tensor[] {
    if (count !== labels.length || "whole" in memory || !this.#lent.has(memory))
      throw new Error(`arena: ${labels.join(", ")} are no parts of memory that is lent in one piece`);
    const whole = memory as Loan;
    const bytes = 4 * size(shape);
    const parts = labels.map((_, i) => this.#part(whole, i * bytes, bytes));
    const frame = this.#frames.findLast((one) => one.delete(whole));
    for (const part of parts) {
      this.#lent.add(part);
      frame?.add(part);
    }
    this.#partsLent.set(whole, parts.length);
    return parts.map((part, i) => ({ label: labels[i]!, shape, memory: part }));
  }

  #part(whole: Loan, offset: number, bytes: number): Part {
    const key = `${offset} ${bytes}`;
    const { buffer } = whole;
    const part = whole.parts.get(key) ?? { id: this.#next++, whole, bytes, offset, ...(buffer && { buffer }) };
    whole.parts.set(key, part);
    return part;
  }

  #givePart({ whole }: Part): void {
    const left = this.#partsLent.get(whole)! - 1;
    this.#partsLent.set(whole, left);
    if (left > 0) return;
    this.#partsLent.delete(whole);
    this.give(whole);
  }

  texture(label: string, width: number, height: number): TextureMemory {
    const bytes = width * height * 16;
    const limit = this.#allocator.maxTextureSide;
    if (width > limit || height > limit) {
      throw new MemoryError(
        `${label} needs a texture of ${width} x ${height}, this adapter has ${limit} x ${limit} at most`,
      );
    }
    this.#account(label, bytes);
    const texture = this.#allocator.texture(label, width, height);
    const memory = { id: this.#next++, bytes, ...(texture && { texture, view: texture.createView() }) };
    this.#textures.add(memory);
    return memory;
  }

  destroyTexture(memory: TextureMemory): void {
    if (!this.#textures.delete(memory)) return;
    this.#forget();
    memory.texture?.destroy();
    this.bytes -= memory.bytes;
  }

  /** A buffer to copy results to and map. */
  landing(bytes: number): GPUBuffer {
    const length = sizeClass(bytes);
    const ready = this.#landings.get(length)?.pop();
    if (ready) return ready;
    this.#account("a result", length);
    return this.#allocator.buffer(length, "landing")!;
  }

  landed(buffer: GPUBuffer): void {
    if (buffer.mapState === "mapped") buffer.unmap();
    const others = this.#landings.get(buffer.size) ?? [];
    this.#landings.set(buffer.size, [...others, buffer]);
  }

  close(): void {
    this.#destroyIdle();
    for (const memory of this.#lent) memory.buffer?.destroy();
    for (const memory of this.#textures) memory.texture?.destroy();
    this.bytes = 0;
  }

  #reuse(bytes: number): Loan | undefined {
    return this.#free.get(sizeClass(bytes))?.shift();
  }

  #create(label: string, bytes: number): Loan {
    const length = sizeClass(bytes);
    if (!this.#free.has(length)) this.#free.set(length, []);
    this.#account(label, length);
    const buffer = this.#allocator.buffer(length, "storage");
    return { id: this.#next++, bytes: length, class: length, parts: new Map(), ...(buffer && { buffer }) };
  }

  /** What is lent to nobody, of sizes that are perhaps not asked for again. */
  #destroyIdle(): void {
    for (const loan of [...this.#free.values()].flat()) {
      loan.buffer?.destroy();
      this.#gone.add(loan);
      this.bytes -= loan.class;
    }
    for (const loans of this.#free.values()) loans.length = 0;
    for (const buffer of [...this.#landings.values()].flat()) {
      buffer.destroy();
      this.bytes -= buffer.size;
    }
    this.#landings.clear();
  }

  #account(label: string, bytes: number): void {
    const { memoryBytes } = this.#limits;
    if (this.bytes + bytes > memoryBytes) {
      this.#forget();
      this.#destroyIdle();
    }
    if (this.bytes + bytes > memoryBytes) {
      throw new MemoryError(
        `${label} needs ${mebibytes(bytes)}, but ${mebibytes(this.bytes)} of the ${mebibytes(memoryBytes)} that this run may use are taken; ` +
          "use fewer cells at once, or raise NOTICE_MEMORY (in bytes)",
      );
    }
    this.bytes += bytes;
  }
}

/** Four classes in every doubling, so at most a fifth is wasted. */
export function sizeClass(bytes: number): number {
  if (bytes <= 256) return 256;
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2);
  return Math.ceil(bytes / step) * step;
}

function memories(result: unknown): Memory[] {
  if (Array.isArray(result)) return result.flatMap(memories);
  if (typeof result !== "object" || result === null) return [];
  if ("memory" in result) return [(result as Tensor).memory];
  return Object.values(result).flatMap(memories);
}

export const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
