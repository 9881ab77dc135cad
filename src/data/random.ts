/**
 * NumPy's legacy random numbers (RandomState) and pandas' sampling on top of them, bit for bit,
 * so that a seed gives the rows that it gave the original.
 */

const LENGTH = 624;
const SHIFT = 397;

export interface Random {
  /** A whole number of 32 bits. */
  next(): number;
  /** A whole number from 0 to `largest`, both included, by redrawing masked bits. */
  upTo(largest: number): number;
  /** Uniform in [0, 1), of 53 bits. */
  uniform(): number;
  /** One of them, each equally likely. */
  choose<T>(items: readonly T[]): T;
}

/** MT19937 as `numpy.random.RandomState(seed)` starts it. @param seed from 0 to 2^32 - 1 */
export function seededRandom(seed: number): Random {
  const state = new Uint32Array(LENGTH);
  state[0] = seed;
  for (let i = 1; i < LENGTH; i++) {
    const previous = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(1812433253, previous) + i;
  }
  let at = LENGTH;

  function next(): number {
    if (at === LENGTH) {
      twist(state);
      at = 0;
    }
    let word = state[at++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    word ^= word >>> 18;
    return word >>> 0;
  }

  function upTo(largest: number): number {
    if (largest === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(largest);
    let value = (next() & mask) >>> 0;
    while (value > largest) value = (next() & mask) >>> 0;
    return value;
  }

  return {
    next,
    upTo,
    uniform: () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53,
    choose: (items) => items[upTo(items.length - 1)]!,
  };
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < LENGTH; i++) {
    const joined = (state[i]! & 0x80000000) | (state[(i + 1) % LENGTH]! & 0x7fffffff);
    const odd = joined & 1 ? 0x9908b0df : 0;
    state[i] = state[(i + SHIFT) % LENGTH]! ^ (joined >>> 1) ^ odd;
  }
}

/** `frame.sample(count, random_state=random)`: distinct rows, the first of a shuffled order. */
export function sample<T>(rows: readonly T[], count: number, random: Random): T[] {
  const order = [...rows];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.upTo(i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order.slice(0, count);
}

/** `frame.sample(count, replace=True, random_state=random)`: the same row may come again. */
export function sampleWithReplacement<T>(rows: readonly T[], count: number, random: Random): T[] {
  return Array.from({ length: count }, () => random.choose(rows));
}
