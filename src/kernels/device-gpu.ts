/** The device itself: an arena of memory, pipelines made once, commands handed over in batches. */
import { type Allocator, Arena } from "./arena.ts";
import { Commands } from "./commands.ts";
import { DeviceError } from "./errors.ts";
import type { AdapterInfo, Bindable, Gpu, Program, Recorder, Texels, Words } from "./gpu.ts";
import { Pipelines } from "./pipelines.ts";
import { keyOf, Recording, Recordings } from "./recording.ts";
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
  readonly #pipelines: Pipelines;
  readonly #staging: Staging;
  readonly #commands: Commands;
  #recording: Recording | undefined;
  #failure: DeviceError | undefined;

  constructor(device: GPUDevice, info: AdapterInfo, platform: Platform) {
    this.#device = device;
    this.info = info;
    this.#platform = platform;
    this.tuning = { chosen: new Map(), ...(platform.tuning && { store: platform.tuning }) };
    this.#arena = new Arena(allocator(device), info, () => this.#pipelines.forgetBindings());
    this.#pipelines = new Pipelines(device);
    this.#staging = new Staging(device);
    this.#commands = new Commands(device);
    device.addEventListener("uncapturederror", (event) => this.#fail(event.error.message));
    device.lost.then(({ reason, message }) => reason !== "destroyed" && this.#fail(`device lost: ${message}`));
  }

  get bytes(): number {
    return this.#arena.bytes;
  }

  tensor(label: string, shape: readonly number[]): Tensor {
    const memory = this.#arena.take(label, size(shape) * 4);
    this.#recording?.taken.add(memory);
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
    this.#unrepeatable();
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
    this.#unrepeatable();
    return this.#arena.texture(label, width, height);
  }

  frame<T>(work: () => T): T {
    return this.#arena.frame(work);
  }

  keep(tensor: Tensor): Tensor {
    this.#unrepeatable();
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
    this.submit();
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
    this.#recording?.add(dispatch, shader, bindings);
    this.#commands.dispatch(dispatch);
    this.dispatches += 1;
  }

  recorder(): Recorder {
    const recordings = new Recordings();
    return {
      run: (name, args, work) => {
        if (this.#recording) return this.frame(work);
        const key = keyOf(name, args);
        return this.#replay(recordings.get(key), args) ?? this.#record(recordings, key, args, work);
      },
    };
  }

  #record(recordings: Recordings, key: string, args: readonly Tensor[], work: () => Tensor): Tensor {
    const recording = new Recording(args);
    const before = this.flop;
    this.#recording = recording;
    try {
      recording.result = this.frame(work);
    } finally {
      this.#recording = undefined;
    }
    recording.flop = this.flop - before;
    if (recording.whole) recordings.set(key, recording);
    return recording.result;
  }

  /** Nothing where somebody else has the memory that it would write. */
  #replay(recording: Recording | undefined, args: readonly Tensor[]): Tensor | undefined {
    if (!recording || !this.#arena.claim(recording.taken)) return undefined;
    this.#check();
    for (const step of recording.steps) {
      const { rebound } = step;
      const group = rebound && this.#pipelines.group(rebound.shader, recording.rebind(rebound.bindings, args));
      this.#commands.dispatch(group ? { ...step, group } : step);
    }
    this.dispatches += recording.steps.length;
    this.flop += recording.flop;
    const result = recording.result!;
    for (const memory of recording.taken) if (memory !== result.memory) this.#arena.give(memory);
    return result;
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
    this.#commands.timestamps = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    try {
      work();
    } finally {
      this.#commands.endPass();
      this.#commands.timestamps = undefined;
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

  /** A recording holds dispatches into memory of its own alone. */
  #unrepeatable(): void {
    if (this.#recording) this.#recording.sound = false;
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
