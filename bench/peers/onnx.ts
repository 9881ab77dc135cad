/** Writes ONNX models as bytes: the few parts of the format (onnx.proto) that a transformer needs. */

type Field = readonly [number, number | string | Uint8Array];

const text = new TextEncoder();

/** Protobuf: varints and length-delimited fields. */
function message(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(([number, value]) => {
    if (typeof value === "number") return [varint(number << 3), varint(value)];
    const bytes = typeof value === "string" ? text.encode(value) : value;
    return [varint((number << 3) | 2), varint(bytes.length), bytes];
  });
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...bytes, rest]);
}

const FLOAT = 1;
const INT64 = 7;

export type Attribute = number | string | readonly number[] | { readonly float: number };

export class Graph {
  readonly #nodes: Field[] = [];
  readonly #weights: Field[] = [];
  #next = 0;

  /** Adds an operator and returns the name of its output. */
  op(type: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    const output = `t${this.#next++}`;
    const node: Field[] = [...inputs.map((name): Field => [1, name]), [2, output], [4, type]];
    for (const [name, value] of Object.entries(attributes)) node.push([5, attribute(name, value)]);
    this.#nodes.push([1, message(node)]);
    return output;
  }

  weight(name: string, shape: readonly number[], data: Float32Array): string {
    return this.#tensor(name, shape, FLOAT, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  integers(name: string, data: readonly number[]): string {
    return this.#tensor(name, [data.length], INT64, new Uint8Array(BigInt64Array.from(data.map(BigInt)).buffer));
  }

  #tensor(name: string, shape: readonly number[], type: number, raw: Uint8Array): string {
    const dims = shape.map((length): Field => [1, length]);
    this.#weights.push([5, message([...dims, [2, type], [8, name], [9, raw]])]);
    return name;
  }

  model(
    input: { name: string; shape: readonly number[] },
    output: { name: string; shape: readonly number[] },
  ): Uint8Array {
    const graph = message([
      ...this.#nodes,
      [2, "bench"],
      ...this.#weights,
      [11, value(input.name, input.shape)],
      [12, value(output.name, output.shape)],
    ]);
    const opset = message([[2, 20]]);
    return message([
      [1, 9],
      [7, graph],
      [8, opset],
    ]);
  }
}

function value(name: string, shape: readonly number[]): Uint8Array {
  const dims = shape.map((length): Field => [1, message([[1, length]])]);
  const tensor = message([
    [1, FLOAT],
    [2, message(dims)],
  ]);
  return message([
    [1, name],
    [2, message([[1, tensor]])],
  ]);
}

function attribute(name: string, given: Attribute): Uint8Array {
  if (typeof given === "number")
    return message([
      [1, name],
      [3, given],
      [20, 2],
    ]);
  if (typeof given === "string")
    return message([
      [1, name],
      [4, given],
      [20, 3],
    ]);
  if ("float" in given) {
    const bits = new Uint8Array(Float32Array.of(given.float).buffer);
    const head = message([[1, name]]);
    return Uint8Array.from([...head, (2 << 3) | 5, ...bits, ...message([[20, 1]])]);
  }
  return message([[1, name], ...given.map((one): Field => [8, one]), [20, 7]]);
}
