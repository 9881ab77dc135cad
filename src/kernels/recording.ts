/**
 * The dispatches and copies of a piece of work, to be made again with other arguments of the same shapes: without its code,
 * and with pipelines, parameters and most bind groups found.
 */
import type { Dispatch, TexelCopy } from "./commands.ts";
import type { Bindable, Program } from "./gpu.ts";
import type { Memory, Tensor } from "./tensor.ts";

interface Step extends Dispatch {
  /** Where an argument is bound, the group is found anew. */
  readonly rebound?: { readonly shader: Program["shader"]; readonly bindings: Readonly<Record<string, Bindable>> };
}

export class Recording {
  readonly steps: (Step | TexelCopy)[] = [];
  /** What the work took of the arena. */
  readonly taken = new Set<Memory>();
  result: Tensor | undefined;
  flop = 0;
  /** Work that reads, writes or makes textures cannot be made again by dispatches and copies of operands alone. */
  sound: boolean;
  readonly #numbers: ReadonlyMap<Bindable, number>;

  constructor(args: readonly Tensor[]) {
    this.#numbers = new Map(args.map(({ memory }, i) => [memory, i]));
    this.sound = this.#numbers.size === args.length;
  }

  add(dispatch: Dispatch, shader: Program["shader"], bindings: Readonly<Record<string, Bindable>>): void {
    const rebound = Object.values(bindings).some((bindable) => this.#numbers.has(bindable));
    const immediates = dispatch.immediates.slice();
    this.steps.push({ ...dispatch, immediates, ...(rebound && { rebound: { shader, bindings } }) });
  }

  addCopy(copy: TexelCopy): void {
    this.steps.push(copy);
  }

  /** The bindings of a step with other arguments. */
  rebind(bindings: Readonly<Record<string, Bindable>>, args: readonly Tensor[]): Record<string, Bindable> {
    return Object.fromEntries(Object.entries(bindings).map(([name, bindable]) => [name, this.other(bindable, args)]));
  }

  /** What stands for a piece of memory with other arguments. */
  other<B extends Bindable>(bindable: B, args: readonly Tensor[]): B | Memory {
    const number = this.#numbers.get(bindable);
    return number === undefined ? bindable : args[number]!.memory;
  }

  /** Can it be made again: nothing but dispatches and copies, into memory of its own? */
  get whole(): boolean {
    return this.sound && this.result !== undefined && this.taken.has(this.result.memory);
  }
}

/** Recordings of one model, by key and shapes of the arguments; the one that was used longest ago is given up for a new one. */
export class Recordings {
  readonly #known = new Map<string, Recording>();

  get(key: string): Recording | undefined {
    const found = this.#known.get(key);
    if (!found) return undefined;
    this.#known.delete(key);
    this.#known.set(key, found);
    return found;
  }

  set(key: string, recording: Recording): void {
    this.#known.delete(key);
    this.#known.set(key, recording);
    if (this.#known.size > MOST) this.#known.delete(this.#known.keys().next().value!);
  }
}

const MOST = 32;

export const keyOf = (key: string, args: readonly Tensor[]): string =>
  `${key}: ${args.map(({ shape }) => shape.join("x")).join(" ")}`;
