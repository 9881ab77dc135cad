/** The last few things that were made, by key; the one that was used longest ago is given up for a new one. */
export interface Remembered<T> {
  /** What belongs to different keys; `make` makes what is not known. From now on twice as many are remembered at least. */
  of(keys: readonly string[], make: (unknown: readonly string[]) => readonly T[]): T[];
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
    of(keys, make) {
      limit = Math.max(limit, 2 * keys.length);
      const unknown = keys.filter((key) => !known.has(key));
      for (const key of keys.filter((one) => known.has(one))) {
        const value = known.get(key)!;
        known.delete(key); // so that it stands last
        known.set(key, value);
      }
      while (known.size + unknown.length > limit) forget(known.keys().next().value!);
      const made = unknown.length > 0 ? make(unknown) : [];
      for (const [i, key] of unknown.entries()) known.set(key, made[i]!);
      return keys.map((key) => known.get(key)!);
    },
    clear() {
      for (const key of [...known.keys()]) forget(key);
    },
  };
}
