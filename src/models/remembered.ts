/** The last few things that were made, by key; the one that was used longest ago is given up for a new one. */
export interface Remembered<T> {
  /** What belongs to different keys, which are used together. */
  of(keys: readonly string[], make: (unknown: string) => T): T[];
  clear(): void;
}

/** @param least how many are remembered, unless more are used together */
export function remembered<T>(least: number, release: (value: T) => void): Remembered<T> {
  const known = new Map<string, T>();
  const forget = (key: string) => {
    release(known.get(key)!);
    known.delete(key);
  };
  return {
    of(keys, make) {
      const limit = Math.max(least, 2 * keys.length); // these, and as many that were used before
      const unknown = keys.filter((key) => !known.has(key));
      for (const key of keys.filter((one) => known.has(one))) {
        const value = known.get(key)!;
        known.delete(key); // so that it stands last
        known.set(key, value);
      }
      while (unknown.length > 0 && known.size + unknown.length > limit) forget(known.keys().next().value!);
      for (const key of unknown) known.set(key, make(key));
      return keys.map((key) => known.get(key)!);
    },
    clear() {
      for (const key of [...known.keys()]) forget(key);
    },
  };
}
