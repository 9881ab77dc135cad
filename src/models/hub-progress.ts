/** How far a download is. */
export interface DownloadProgress {
  readonly model: string;
  /** The commit. */
  readonly revision: string;
  /** The file in transfer; several files make one download. */
  readonly file: string;
  /** Bytes in place, those of an earlier attempt included. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Mean rate since the start; 0 before the first byte. */
  readonly bytesPerSecond: number;
  /** Undefined before the first byte. */
  readonly secondsLeft: number | undefined;
}

export interface Meter {
  /** The bytes of a file that are in place now; `arrived` of them came just now over the line. */
  at(file: string, loaded: number, arrived?: number): void;
  /** A file is in its place. */
  done(file: string, size: number): void;
}

/** Tells of the whole, at once and then ten times a second, out of what is known of each file. */
export function meter(
  whole: Pick<DownloadProgress, "model" | "revision" | "totalBytes">,
  present: ReadonlyMap<string, number>,
  tell: (progress: DownloadProgress) => void,
): Meter {
  const loaded = new Map(present);
  const started = performance.now();
  let received = 0;
  let told = Number.NEGATIVE_INFINITY;
  const show = (file: string, now = performance.now()) => {
    const loadedBytes = [...loaded.values()].reduce((total, bytes) => total + bytes, 0);
    const bytesPerSecond = received / Math.max((now - started) / 1000, 1e-3);
    const secondsLeft = received > 0 ? (whole.totalBytes - loadedBytes) / bytesPerSecond : undefined;
    tell({ ...whole, file, loadedBytes, bytesPerSecond, secondsLeft });
    told = now;
  };
  show([...present.keys()][0] ?? "");
  return {
    at(file, bytes, arrived = 0) {
      loaded.set(file, bytes);
      received += arrived;
      if (performance.now() - told >= 100) show(file);
    },
    done(file, size) {
      loaded.set(file, size);
      show(file);
    },
  };
}

/** 1234567 -> "1.2 MB". */
export function shownBytes(bytes: number): string {
  const unit = bytes < 999_500 ? 1 : bytes < 999_950_000 ? 2 : 3;
  return `${(bytes / 1000 ** unit).toFixed(unit === 1 ? 0 : unit - 1)} ${["", "kB", "MB", "GB"][unit]}`;
}
