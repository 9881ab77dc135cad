/**
 * Reads Python's pickles, protocols 0 to 5, without running anything: a pickle is a program for a small stack machine,
 * and of the names it may call only those exist that `host.find` knows. All others are refused by name.
 */
import type { Scanner } from "./pickle-scanner.ts";

/** What a pickle may hold before it is made plain; tuples and lists are arrays, dicts are Maps. */
export type Raw =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Raw[]
  | Map<Raw, Raw>
  | Named
  | Stateful
  | Opaque;

/** A name of Python's that may be called. */
export interface Named {
  readonly kind: "named";
  readonly name: string;
  call(args: readonly Raw[]): Raw;
}

/** An object that BUILD fills. */
export interface Stateful {
  readonly kind: "stateful";
  build(state: Raw): void;
  /** What it has become, if that is a value. */
  value(): Opaque | undefined;
}

/** A tensor, or a part of one. */
export interface Opaque {
  readonly kind: "storage" | "tensor" | "type";
}

export interface PickleHost {
  find(name: string): Named | Opaque | undefined;
  persistent(id: Raw): Raw;
}

/** Runs one pickle and leaves the scanner after its end. */
export function readPickle(scanner: Scanner, host: PickleHost): Raw {
  const stack: Raw[] = [];
  const marks: number[] = [];
  const memo = new Map<number, Raw>();

  const push = (value: Raw) => void stack.push(value);
  const lowest = () => marks.at(-1) ?? 0;
  function pop(): Raw {
    if (stack.length <= lowest()) scanner.fail("takes a value that was never put there");
    return stack.pop()!;
  }
  const top = (): Raw => {
    const value = pop();
    push(value);
    return value;
  };
  function popMark(): Raw[] {
    const mark = marks.pop();
    if (mark === undefined) scanner.fail("closes a list that was never opened");
    return stack.splice(mark);
  }
  function append(values: readonly Raw[]): void {
    const list = top();
    if (!Array.isArray(list)) scanner.fail("adds to what is no list");
    for (const value of values) list.push(value);
  }
  function setItems(pairs: readonly Raw[]): void {
    const dict = top();
    if (!(dict instanceof Map) || pairs.length % 2 !== 0) scanner.fail("sets items of what is no dict");
    for (let i = 0; i < pairs.length; i += 2) dict.set(pairs[i]!, pairs[i + 1]!);
  }
  function recall(index: number): void {
    const value = memo.get(index);
    if (value === undefined) scanner.fail(`recalls value ${index}, which it never kept`);
    push(value);
  }
  function find(module: string, name: string): void {
    const full = `${module}.${name}`;
    const found = host.find(full);
    if (found === undefined) scanner.refuse(full);
    push(found);
  }
  function reduce(): void {
    const args = pop();
    const callee = pop();
    if (!isNamed(callee)) scanner.fail("calls what is no function");
    if (!Array.isArray(args)) scanner.fail(`calls ${callee.name} without a tuple of arguments`);
    push(callee.call(args));
  }
  function build(): void {
    const state = pop();
    const object = top();
    if (isStateful(object)) object.build(state);
    else if (!(object instanceof Map && state === null)) scanner.fail("gives a state to what takes none");
  }

  const tuple = (length: number) => push(Array.from({ length }, pop).reverse());
  const operations: Readonly<Record<number, () => void>> = {
    [code("(")]: () => void marks.push(stack.length),
    [code("0")]: () => void (stack.length === lowest() && marks.length > 0 ? marks.pop() : pop()),
    [code("1")]: () => void popMark(),
    [code("2")]: () => push(top()),
    [code("N")]: () => push(null),
    136: () => push(true),
    137: () => push(false),
    [code("I")]: () => push(scanner.integerLine()),
    [code("L")]: () => push(scanner.longLine()),
    [code("F")]: () => push(scanner.floatLine()),
    [code("J")]: () => push(scanner.signed32()),
    [code("K")]: () => push(scanner.unsigned(1)),
    [code("M")]: () => push(scanner.unsigned(2)),
    138: () => push(scanner.long(scanner.unsigned(1))),
    139: () => push(scanner.long(scanner.unsigned(4))),
    [code("G")]: () => push(scanner.float()),
    [code("S")]: () => push(scanner.quotedLine()),
    [code("V")]: () => push(scanner.unicodeLine()),
    [code("T")]: () => push(scanner.latin(scanner.unsigned(4))),
    [code("U")]: () => push(scanner.latin(scanner.unsigned(1))),
    [code("X")]: () => push(scanner.text(scanner.unsigned(4))),
    140: () => push(scanner.text(scanner.unsigned(1))),
    141: () => push(scanner.text(scanner.unsigned(8))),
    [code("B")]: () => push(scanner.bytes(scanner.unsigned(4))),
    [code("C")]: () => push(scanner.bytes(scanner.unsigned(1))),
    142: () => push(scanner.bytes(scanner.unsigned(8))),
    150: () => push(scanner.bytes(scanner.unsigned(8))),
    [code("]")]: () => push([]),
    [code(")")]: () => push([]),
    [code("}")]: () => push(new Map()),
    [code("l")]: () => push(popMark()),
    [code("t")]: () => push(popMark()),
    [code("d")]: () => {
      const pairs = popMark();
      push(new Map());
      setItems(pairs);
    },
    133: () => tuple(1),
    134: () => tuple(2),
    135: () => tuple(3),
    [code("a")]: () => append([pop()]),
    [code("e")]: () => append(popMark()),
    [code("s")]: () => setItems([pop(), pop()].reverse()),
    [code("u")]: () => setItems(popMark()),
    [code("p")]: () => void memo.set(Number(scanner.line()), top()),
    [code("q")]: () => void memo.set(scanner.unsigned(1), top()),
    [code("r")]: () => void memo.set(scanner.unsigned(4), top()),
    148: () => void memo.set(memo.size, top()),
    [code("g")]: () => recall(Number(scanner.line())),
    [code("h")]: () => recall(scanner.unsigned(1)),
    [code("j")]: () => recall(scanner.unsigned(4)),
    [code("c")]: () => find(scanner.line(), scanner.line()),
    147: () => {
      const [name, module] = [pop(), pop()];
      find(String(module), String(name));
    },
    [code("R")]: reduce,
    [code("b")]: build,
    [code("Q")]: () => push(host.persistent(pop())),
    [code("P")]: () => push(host.persistent(scanner.line())),
    128: () => scanner.protocol(),
    149: () => void scanner.unsigned(8), // a frame: only a hint about reading
  };
  for (;;) {
    const opcode = scanner.opcode();
    if (opcode === code(".")) return pop();
    const operation = operations[opcode];
    if (!operation) scanner.fail(`has instruction 0x${opcode.toString(16)}, which no result file needs`);
    try {
      operation();
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      scanner.fail(`asks for what no result file needs (${error.message})`);
    }
  }
}

function code(letter: string): number {
  return letter.charCodeAt(0);
}

const isObject = (value: Raw): value is Named | Stateful | Opaque =>
  typeof value === "object" && value !== null && "kind" in value;
export const isNamed = (value: Raw): value is Named => isObject(value) && value.kind === "named";
export const isStateful = (value: Raw): value is Stateful => isObject(value) && value.kind === "stateful";
export const isOpaque = (value: Raw): value is Opaque =>
  isObject(value) && value.kind !== "named" && value.kind !== "stateful";
