/** Bytes of a pickle, read from front to back; no length is believed before the bytes are there. */
import { UserError } from "../models/errors.ts";

export class Scanner {
  at = 0;
  /** Where the current instruction stands. */
  private start = 0;
  private readonly name: string;
  private readonly data: Uint8Array;
  private readonly view: DataView;

  constructor(name: string, data: Uint8Array) {
    this.name = name;
    this.data = data;
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  get left(): number {
    return this.data.length - this.at;
  }

  fail(what: string): never {
    throw new UserError(`${this.name}: is no result file: at byte ${this.start} it ${what}; was it copied whole?`);
  }

  refuse(name: string): never {
    const shown = name.replace(/[^\w.]/g, "?").slice(0, 80);
    throw new UserError(
      `${this.name}: asks for ${shown} at byte ${this.start}, which no result file needs; ` +
        "nothing in it was run; do not open it elsewhere",
    );
  }

  opcode(): number {
    this.start = this.at;
    return this.unsigned(1);
  }

  protocol(): void {
    const version = this.unsigned(1);
    if (version > 5) this.fail(`names protocol ${version}, expected at most 5`);
  }

  bytes(length: number): Uint8Array {
    if (length > this.left) this.fail(`wants ${length} bytes where ${this.left} are left`);
    this.at += length;
    return this.data.subarray(this.at - length, this.at);
  }

  unsigned(size: 1 | 2 | 4 | 8): number {
    const at = this.at;
    this.bytes(size);
    if (size === 8) return Number(this.view.getBigUint64(at, true));
    return size === 4 ? this.view.getUint32(at, true) : size === 2 ? this.view.getUint16(at, true) : this.data[at]!;
  }

  signed32(): number {
    this.bytes(4);
    return this.view.getInt32(this.at - 4, true);
  }

  float(): number {
    this.bytes(8);
    return this.view.getFloat64(this.at - 8, false);
  }

  /** A whole number in two's complement, the lowest byte first. */
  long(length: number): number | bigint {
    const bytes = this.bytes(length);
    if (length > 64) this.fail(`has a whole number of ${length} bytes`);
    const hex = Buffer.from(bytes).reverse().toString("hex");
    return length === 0 ? 0 : narrow(BigInt.asIntN(8 * length, BigInt(`0x${hex}`)));
  }

  text(length: number): string {
    const bytes = this.bytes(length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return this.fail("has text that is not UTF-8");
    }
  }

  latin(length: number): string {
    return Buffer.from(this.bytes(length)).toString("latin1");
  }

  /** Up to a line feed. */
  line(): string {
    const end = this.data.indexOf(0x0a, this.at);
    if (end === -1) this.fail("has a line without an end");
    const text = this.latin(end - this.at);
    this.at++;
    return text;
  }

  integerLine(): number | bigint | boolean {
    const text = this.line();
    if (text === "00" || text === "01") return text === "01";
    return this.whole(text);
  }

  longLine(): number | bigint {
    return this.whole(this.line().replace(/L$/, ""));
  }

  private whole(text: string): number | bigint {
    if (!/^[+-]?\d{1,160}$/.test(text)) this.fail("has a whole number in no such notation");
    return narrow(BigInt(text.replace("+", "")));
  }

  floatLine(): number {
    const text = this.line().trim();
    const special = { nan: Number.NaN, inf: Number.POSITIVE_INFINITY, "-inf": Number.NEGATIVE_INFINITY }[text];
    if (special === undefined && !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text))
      this.fail("has a number in no such notation");
    return special ?? Number(text);
  }

  /** A string as Python 2 prints it. */
  quotedLine(): string {
    const [, quote, inner] = /^(['"])(.*)\1$/.exec(this.line().trim()) ?? [];
    if (quote === undefined) this.fail("has a string without quotes");
    return inner!.replace(/\\(?:x([0-9a-f]{2})|([\\'"nrt]))/gi, (_, hex?: string, letter?: string) =>
      hex ? String.fromCharCode(Number.parseInt(hex, 16)) : ({ n: "\n", r: "\r", t: "\t" }[letter!] ?? letter!),
    );
  }

  /** Raw-unicode-escape: \uXXXX and \UXXXXXXXX, all else Latin-1. */
  unicodeLine(): string {
    return this.line().replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (whole, short?: string, long?: string) => {
      const point = Number.parseInt((short ?? long)!, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    });
  }
}

const narrow = (value: bigint): number | bigint => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};
