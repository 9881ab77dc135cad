/** The device as kernels see it: memory from an arena, dispatches recorded and submitted in order, results read back. */
import type { Shader } from "./shader.ts";
import type { Memory, Tensor, TextureMemory } from "./tensor.ts";
import type { Tuning } from "./tuning.ts";

/**
 * Which kernels run: B register and shared-memory tiles for GPUs, A the same with matrix products on float16 matrix units,
 * which is not exact, D one subgroup a workgroup for software adapters.
 */
export type Tier = "A" | "B" | "D";

/** What a device must have for tier A's matrix units; without it they are emulated, to test the kernel. */
export const MATRIX_UNITS = "chromium-experimental-subgroup-matrix";

export interface AdapterInfo {
  /** For people: `SwiftShader driver 5.0.0`. */
  readonly name: string;
  readonly kind: "hardware" | "software" | "swiftshader" | "none";
  readonly tier: Tier;
  readonly subgroupSize: number;
  readonly features: readonly string[];
  readonly maxBindingBytes: number;
  /** Texels of a texture in either direction. */
  readonly maxTextureSide: number;
  /** Bytes that the device may hold. */
  readonly memoryBytes: number;
  /** float16 subnormal numbers are flushed by unpack2x16float: kernels open them bit by bit. */
  readonly halfFlushes: boolean;
}

export type Bindable = Memory | TextureMemory;

/** A rectangle of texels, row by row, four words each. */
export interface Texels {
  readonly texture: TextureMemory;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Words of memory from a byte on. */
export interface Words {
  readonly memory: Memory;
  readonly offset: number;
}

/** A kernel with the numbers that are fixed when it is compiled. */
export interface Program {
  readonly shader: Shader<string, unknown, string>;
  readonly overrides: unknown;
}

/** Makes work that repeats out of recorded dispatches. */
export interface Recorder {
  /**
   * What `work` makes. The next time the same name is run with arguments of the same shapes, its dispatches are made again
   * with these arguments, and `work` is not called: nothing that it does may depend on more than name and arguments. Work
   * that writes, keeps or makes textures is called each time.
   */
  run(name: string, args: readonly Tensor[], work: () => Tensor): Tensor;
}

export interface Gpu {
  readonly info: AdapterInfo;
  readonly tuning: Tuning;
  /** Multiply-adds count 2. */
  flop: number;
  dispatches: number;
  /** Device memory held, in bytes. */
  readonly bytes: number;
  /** An uninitialised tensor of this frame. */
  tensor(label: string, shape: readonly number[]): Tensor;
  /** A tensor of this frame with these values. */
  upload(label: string, shape: readonly number[], data: Float32Array | Uint32Array): Tensor;
  /** Puts words into memory at a byte offset, before everything that is recorded later. */
  write(memory: Memory, offset: number, words: Float32Array | Uint32Array): void;
  writeTexels(texels: Texels, words: Uint32Array): void;
  /**
   * Fills a place with `bytes` bytes that `read` puts right into memory that the device copies from. Of texels each row must
   * be a multiple of 256 bytes. The copy may still be under way when it returns: `finish` waits for it.
   */
  stream(place: Words | Texels, bytes: number, read: (into: Uint8Array) => Promise<void>): Promise<void>;
  texture(label: string, width: number, height: number): TextureMemory;
  /**
   * The words of a tensor, a multiple of 4, as texels (shaders/lib/texels.wgsl), for what is run next: the same texture then
   * serves others. Those that one kernel reads are operands of their own, from 0.
   */
  texels(tensor: Tensor, operand?: number): TextureMemory;
  /** Runs `work`; what it allocated goes back to the arena, except the tensors that it returns. */
  frame<T>(work: () => T): T;
  /** Takes a tensor out of its frame: it lives until `release`. */
  keep(tensor: Tensor): Tensor;
  release(...tensors: Tensor[]): void;
  /** The parts of a tensor [parts, ...], each a multiple of 256 bytes, with its memory, which returns with the last of them. */
  split(tensor: Tensor, labels: readonly string[]): Tensor[];
  destroyTexture(texture: TextureMemory): void;
  run<B extends string, O, P extends string>(
    shader: Shader<B, O, P>,
    overrides: O,
    bindings: Record<B, Bindable>,
    params: Record<P, number>,
    workgroups: number,
  ): void;
  /** Its recordings go with it: a model has one of its own. */
  recorder(): Recorder;
  /** Makes the programs ready, several at a time: else each is made when it first runs, and all wait for it. */
  compile(programs: Iterable<Program>): Promise<void>;
  /** Float32 values of a tensor; waits for everything recorded so far. */
  read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>>;
  submit(): void;
  /** Waits until the device has done everything; throws if anything has failed. */
  finish(): Promise<void>;
  /** Nanoseconds on the device for the dispatches of `work`; seen from outside where the adapter has no timestamps. */
  time(work: () => void): Promise<number>;
  close(): void;
}
