/** Which form of a product is fastest on this adapter, measured on a model's own weights. All forms have the same bits. */
import type { Gpu } from "./gpu.ts";
import { type FormName, formNames, productClass } from "./matmul.ts";
import type { Matrix } from "./matrix.ts";
import { timeProduct } from "./speed.ts";

/** What was measured, by class of shapes. */
export type Choices = Readonly<Record<string, string>>;

/** Where choices are kept for the next time, for one adapter and version of the package. */
export interface TuningStore {
  read(): Promise<Choices>;
  write(choices: Choices): Promise<void>;
}

export interface Tuning {
  readonly chosen: Map<string, string>;
  /** Absent where nothing is measured and a fixed table decides. */
  readonly store?: TuningStore;
}

const VECTORS = [1, 4, 16, 64, 256, 1024, 4096];

const ROUNDS = 3;

/** Products of more vectors than one that takes so many nanoseconds are of its kind: they take its form, unmeasured. */
const LONG = 30e6;

/** Measures the classes of these weights that nobody has measured yet, and keeps what it found. */
export async function tune(gpu: Gpu, matrices: Iterable<Matrix>): Promise<void> {
  const { chosen, store } = gpu.tuning;
  if (!store) return;
  const known = await store.read();
  const names = formNames(gpu);
  let found = 0;
  for (const matrix of names.length > 1 ? distinct(matrices) : []) {
    let best: Measured | undefined;
    for (const vectors of VECTORS.filter((count) => fits(gpu, matrix, count))) {
      const product = productClass(matrix, vectors);
      const before = (chosen.get(product) ?? known[product]) as FormName;
      if (names.includes(before)) {
        chosen.set(product, before);
        continue;
      }
      if (!best || best.time < LONG) best = await fastest(gpu, matrix, vectors, names);
      chosen.set(product, best.name);
      found += 1;
    }
  }
  if (found > 0) await store.write({ ...known, ...Object.fromEntries(chosen) });
}

/** One weight of each class. */
function distinct(matrices: Iterable<Matrix>): Iterable<Matrix> {
  return new Map([...matrices].map((matrix) => [productClass(matrix, 1), matrix])).values();
}

const fits = (gpu: Gpu, { inputs, outputs }: Matrix, vectors: number): boolean =>
  4 * vectors * Math.max(inputs, outputs) <= Math.min(gpu.info.maxBindingBytes, gpu.info.memoryBytes - gpu.bytes);

interface Measured {
  readonly name: FormName;
  /** Nanoseconds on the device. */
  readonly time: number;
}

async function fastest(gpu: Gpu, matrix: Matrix, vectors: number, names: readonly FormName[]): Promise<Measured> {
  const times = new Map(names.map((name) => [name, Number.POSITIVE_INFINITY]));
  const product = productClass(matrix, vectors);
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      gpu.tuning.chosen.set(product, name);
      const time = await timeProduct(gpu, matrix, vectors);
      times.set(name, Math.min(times.get(name)!, time));
    }
  }
  const [name, time] = [...times].reduce((best, other) => (other[1] < best[1] ? other : best));
  return { name, time };
}
