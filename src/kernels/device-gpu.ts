/** The device itself: an arena of memory, pipelines made once, commands handed over in batches. */
import { type Allocator, Arena } from "./arena.ts";
import { Commands } from "./commands.ts";
import { DeviceError } from "./errors.ts";
import type { AdapterInfo, Bindable, Gpu, Program, Recorder, Texels, Words } from "./gpu.ts";
import { Operands } from "./operands.ts";
import { Pipelines } from "./pipelines.ts";
import { Repeats } from "./repeats.ts";
import type { Shader } from "./shader.ts";
import { Staging } from "./staging.ts";
import { type Memory, size, type Tensor, type TextureMemory } from "./tensor.ts";
import type { Tuning, TuningStore } from "./tuning.ts";

export interface Platform {
  /** Awaits a promise of the device without burning a core. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Where measured choices of kernels are kept; without it a fixed table decides. */
  readonly tuning?: TuningStore;
}

export class DeviceGpu implements Gpu {
  readonly info: AdapterInfo;
  readonly tuning: Tuning;
  flop = 0;
  dispatches = 0;
  readonly #device: GPUDevice;
  readonly #platform: Platform;
  readonly #arena: Arena;
  readonly #operands: Operands;
  readonly #pipelines: Pipelines;
  readonly #staging: Staging;
  readonly #commands: Commands;
  readonly #repeats: Repeats;
  #failure: DeviceError | undefined;

  constructor(device: GPUDevice, info: AdapterInfo, platform: Platform) {
    this.#device = device;
    this.info = info;
    this.#platform = platform;
    this.tuning = { chosen: new Map(), ...(platform.tuning && { store: platform.tuning }) };
    this.#arena = new Arena(allocator(device), info, () => {
      this.submit();
      this.#pipelines.forgetBindings();
    });
    this.#operands = new Operands(this.#arena);
    this.#pipelines = new Pipelines(device);
    this.#staging = new Staging(device);
    this.#commands = new Commands(device);
    const [arena, pipelines, commands] = [this.#arena, this.#pipelines, this.#commands];
    this.#repeats = new Repeats({ gpu: this, arena, pipelines, commands, check: () => this.#check() });
    device.addEventListener("uncapturederror", (event) => this.#fail(event.error.message));
    device.lost.then(({ reason, message }) => reason !== "destroyed" && this.#fail(`device lost: ${message}`));
  }

  get bytes(): number {
    return this.#arena.bytes;
  }

  tensor(label: string, shape: readonly number[]): Tensor {
    const memory = this.#arena.take(label, size(shape) * 4);
    this.#repeats.take(memory);
    return { label, shape, memory };
  }

  upload(label: string, shape: readonly number[], data: Float32Array | Uint32Array): Tensor {
    const tensor = this.tensor(label, shape);
    if (data.length !== size(shape))
      throw new Error(`upload ${label}: got ${data.length} words, expected ${size(shape)}`);
    this.write(tensor.memory, 0, data);
    return tensor;
  }

  write(memory: Memory, offset: number, words: Float32Array | Uint32Array): void {
    this.#repeats.spoil();
    this.submit(); // earlier dispatches may still use this memory under another name
    this.#device.queue.writeBuffer(
      memory.buffer!,
      (memory.offset ?? 0) + offset,
      words.buffer as ArrayBuffer,
      words.byteOffset,
      words.byteLength,
    );
  }

  writeTexels({ texture, x, y, width, height }: Texels, words: Uint32Array): void {
    this.submit();
    const bytes = words as Uint32Array<ArrayBuffer>;
    this.#device.queue.writeTexture({ texture: texture.texture!, origin: [x, y] }, bytes, { bytesPerRow: 16 * width }, [
      width,
      height,
    ]);
  }

  async stream(place: Words | Texels, bytes: number, read: (into: Uint8Array) => Promise<void>): Promise<void> {
    this.submit();
    const copy = (encoder: GPUCommandEncoder, buffer: GPUBuffer) => {
      if ("memory" in place) return encoder.copyBufferToBuffer(buffer, 0, place.memory.buffer!, place.offset, bytes);
      const { texture, x, y, width, height } = place;
      const target = { texture: texture.texture!, origin: [x, y] };
      encoder.copyBufferToTexture({ buffer, bytesPerRow: 16 * width }, target, [width, height]);
    };
    await this.#platform.settle(this.#staging.pass(bytes, read, copy));
    this.#check();
  }

  texture(label: string, width: number, height: number): TextureMemory {
    this.#repeats.spoil();
    return this.#arena.texture(label, width, height);
  }

  texels(tensor: Tensor, operand = 0): TextureMemory {
    const { memory, shape } = tensor;
    const copy = { memory, texture: this.#operands.texture(operand, tensor), count: size(shape) / 4 };
    this.#repeats.addCopy(copy);
    this.#commands.copyTexels(copy);
    return copy.texture;
  }

  frame<T>(work: () => T): T {
    return this.#arena.frame(work);
  }

  keep(tensor: Tensor): Tensor {
    this.#repeats.spoil();
    this.#arena.keep(tensor.memory);
    return tensor;
  }

  release(...tensors: Tensor[]): void {
    for (const { memory } of tensors) this.#arena.give(memory);
  }

  split(tensor: Tensor, labels: readonly string[]): Tensor[] {
    return this.#arena.split(tensor, labels);
  }

  destroyTexture(texture: TextureMemory): void {
    this.#arena.destroyTexture(texture);
  }

  run<B extends string, O, P extends string>(
    shader: Shader<B, O, P>,
    overrides: O,
    bindings: Record<B, Bindable>,
    params: Record<P, number>,
    workgroups: number,
  ): void {
    if (workgroups === 0) return;
    const dispatch = { ...this.#pipelines.bind(shader, this.info, overrides, bindings, params), workgroups };
    this.#check(); // a shader that does not compile is known by now, and must not be dispatched
    this.#repeats.add(dispatch, shader, bindings);
    this.#commands.dispatch(dispatch);
    this.dispatches += 1;
  }

  recorder(): Recorder {
    return this.#repeats.recorder();
  }

  async compile(programs: Iterable<Program>): Promise<void> {
    await this.#platform.settle(this.#pipelines.compile(programs, this.info));
  }

  async read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    const bytes = size(tensor.shape) * 4;
    if (bytes === 0) return new Float32Array(0);
    const landing = this.#arena.landing(bytes);
    this.#commands.encoder().copyBufferToBuffer(tensor.memory.buffer!, tensor.memory.offset ?? 0, landing, 0, bytes);
    this.submit();
    try {
      await this.#platform.settle(landing.mapAsync(GPUMapMode.READ, 0, bytes));
      this.#check();
      return new Float32Array(landing.getMappedRange(0, bytes).slice(0));
    } finally {
      this.#arena.landed(landing);
    }
  }

  submit(): void {
    this.#commands.submit();
  }

  async finish(): Promise<void> {
    this.#commands.finish();
    await this.#platform.settle(this.#staging.release());
    await this.#platform.settle(this.#device.queue.onSubmittedWorkDone());
    this.#check();
  }

  async time(work: () => void): Promise<number> {
    if (!this.info.features.includes("timestamp-query")) return this.#timeFromOutside(work);
    const querySet = this.#device.createQuerySet({ type: "timestamp", count: 2 });
    const resolved = this.tensor("timestamps", [4]);
    const target = this.#device.createBuffer({
      size: 16,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    await this.finish();
    this.#commands.startTiming(querySet);
    try {
      work();
    } finally {
      this.#commands.stopTiming();
    }
    const encoder = this.#commands.encoder();
    encoder.resolveQuerySet(querySet, 0, 2, target, 0);
    encoder.copyBufferToBuffer(target, 0, resolved.memory.buffer!, 0, 16);
    const [begin, end] = new BigUint64Array((await this.read(resolved)).buffer);
    querySet.destroy();
    target.destroy();
    this.release(resolved);
    return Number(end! - begin!);
  }

  async #timeFromOutside(work: () => void): Promise<number> {
    await this.finish();
    const started = performance.now();
    work();
    await this.finish();
    return (performance.now() - started) * 1e6;
  }

  close(): void {
    this.#arena.close();
    this.#device.destroy();
  }

  #fail(message: string): void {
    this.#failure ??= new DeviceError(`gpu ${this.info.name}: ${message}`);
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }
}

function allocator(device: GPUDevice): Allocator {
  const usages = {
    storage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    landing: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  };
  return {
    buffer: (bytes, usage) => device.createBuffer({ size: bytes, usage: usages[usage] }),
    texture(label, width, height) {
      const usage = GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST;
      return device.createTexture({ label, size: [width, height], format: "rgba32uint", usage });
    },
    maxTextureSide: device.limits.maxTextureDimension2D,
  };
}
