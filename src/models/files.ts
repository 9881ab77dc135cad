/** Bytes by range, wherever they lie: a file on disk, a picked file in a browser, memory in a test. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** `length` bytes from `offset` in a buffer of their own; rejects when they are not all there. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** As `read`, as many bytes as `into` has. */
  readInto(offset: number, into: Uint8Array, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Files by name. A name that leads out of the folder is refused. */
export interface Folder {
  /** For messages. */
  readonly name: string;
  has(file: string): Promise<boolean>;
  open(file: string): Promise<ByteSource>;
  /** The file as UTF-8. */
  text(file: string): Promise<string>;
  json(file: string): Promise<unknown>;
  bytes(file: string): Promise<Uint8Array<ArrayBuffer>>;
}
