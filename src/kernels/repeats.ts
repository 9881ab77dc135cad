/** Records work while it runs, and makes it again out of its recording. */
import type { Arena } from "./arena.ts";
import type { Commands, Dispatch, TexelCopy } from "./commands.ts";
import type { Bindable, Gpu, Program, Recorder } from "./gpu.ts";
import type { Pipelines } from "./pipelines.ts";
import { keyOf, Recording, Recordings } from "./recording.ts";
import type { Memory, Tensor } from "./tensor.ts";

/** The parts of a device that recordings are made on. */
interface Device {
  readonly gpu: Pick<Gpu, "flop" | "dispatches" | "frame">;
  readonly arena: Arena;
  readonly pipelines: Pipelines;
  readonly commands: Commands;
  /** Throws if anything has failed. */
  check(): void;
}

export class Repeats {
  readonly #device: Device;
  #recording: Recording | undefined;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Memory that the work took. */
  take(memory: Memory): void {
    this.#recording?.taken.add(memory);
  }

  add(dispatch: Dispatch, shader: Program["shader"], bindings: Readonly<Record<string, Bindable>>): void {
    this.#recording?.add(dispatch, shader, bindings);
  }

  addCopy(copy: TexelCopy): void {
    this.#recording?.addCopy(copy);
  }

  /** The work did what dispatches and copies do not. */
  spoil(): void {
    if (this.#recording) this.#recording.sound = false;
  }

  recorder(): Recorder {
    const recordings = new Recordings();
    return {
      run: (name, args, work) => {
        if (this.#recording) return this.#device.gpu.frame(work);
        const key = keyOf(name, args);
        return this.#replay(recordings.get(key), args) ?? this.#record(recordings, key, args, work);
      },
    };
  }

  #record(recordings: Recordings, key: string, args: readonly Tensor[], work: () => Tensor): Tensor {
    const { gpu } = this.#device;
    const recording = new Recording(args);
    const before = gpu.flop;
    this.#recording = recording;
    try {
      recording.result = gpu.frame(work);
    } finally {
      this.#recording = undefined;
    }
    recording.flop = gpu.flop - before;
    if (recording.whole) recordings.set(key, recording);
    return recording.result;
  }

  /** Nothing where somebody else has the memory that it would write. */
  #replay(recording: Recording | undefined, args: readonly Tensor[]): Tensor | undefined {
    const { gpu, arena, pipelines, commands, check } = this.#device;
    if (!recording || !arena.claim(recording.taken)) return undefined;
    check();
    for (const step of recording.steps) {
      if ("texture" in step) {
        commands.copyTexels({ ...step, memory: recording.other(step.memory, args) });
        continue;
      }
      const { rebound } = step;
      const group = rebound && pipelines.group(rebound.shader, recording.rebind(rebound.bindings, args));
      commands.dispatch(group ? { ...step, group } : step);
      gpu.dispatches += 1;
    }
    gpu.flop += recording.flop;
    const result = recording.result!;
    for (const memory of recording.taken) if (memory !== result.memory) arena.give(memory);
    return result;
  }
}
