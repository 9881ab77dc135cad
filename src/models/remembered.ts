/** The last few things that were made, by key; the one that was used longest ago is given up for a new one. */
export interface Remembered<T> {
  of(key: string, make: () => T): T;
  /** From now on so many at least: they are used together. */
  atLeast(count: number): void;
  clear(): void;
}

export function remembered<T>(most: number, release: (value: T) => void): Remembered<T> {
  let limit = most;
  const known = new Map<string, T>();
  const forget = (key: string) => {
    release(known.get(key)!);
    known.delete(key);
  };
  return {
    of(key, make) {
      if (!known.has(key) && known.size >= limit) forget(known.keys().next().value!);
      const value = known.has(key) ? known.get(key)! : make();
      known.delete(key); // so that it stands last
      known.set(key, value);
      return value;
    },
    atLeast(count) {
      limit = Math.max(limit, count);
    },
    clear() {
      for (const key of [...known.keys()]) forget(key);
    },
  };
}
