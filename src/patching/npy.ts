/** Arrays as NumPy's .npy files, version 1.0: a header in Python's notation, then little-endian values. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** Text becomes fixed-width UTF-32, as long as the longest. */
  readonly data: Float32Array | Int32Array | readonly string[];
}

export type NpyArrays = Record<string, NpyArray>;

export function npy({ shape, data }: NpyArray): Uint8Array {
  if (data instanceof Float32Array) return file("<f4", shape, littleEndian(data));
  if (data instanceof Int32Array) return file("<i4", shape, littleEndian(data));
  const points = data.map((text) => [...text].map((letter) => letter.codePointAt(0)!));
  const width = Math.max(1, ...points.map(({ length }) => length));
  const values = new Int32Array(width * points.length);
  points.forEach((text, i) => {
    values.set(text, i * width);
  });
  return file(`<U${width}`, shape, littleEndian(values));
}

function file(type: string, shape: readonly number[], values: Uint8Array): Uint8Array {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const prefix = 10;
  const length = 64 * Math.ceil((prefix + header.length + 1) / 64) - prefix;
  const bytes = new Uint8Array(prefix + length + values.length);
  bytes.set([0x93, ...Buffer.from("NUMPY"), 1, 0, length & 255, length >> 8]);
  bytes.set(Buffer.from(`${header.padEnd(length - 1)}\n`), prefix);
  bytes.set(values, prefix + length);
  return bytes;
}

export function littleEndian(data: Float32Array | Int32Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const host = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  return host ? bytes : Buffer.from(bytes).swap32();
}
