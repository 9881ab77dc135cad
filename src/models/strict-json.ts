/**
 * JSON as a checkpoint needs it. JSON.parse keeps the last of two equal keys, rounds large numbers in silence and reads
 * 1.0 as 1; here a key twice is refused, and objects are Maps, in which `__proto__` is a name like any other.
 */

/** A whole number that is not written in digits alone, as 1.0 or 1e3, is NaN: no field here may have one. */
export type Json = null | boolean | string | number | readonly Json[] | ReadonlyMap<string, Json>;

const MAX_DEPTH = 128;
const MAX_DIGITS = 400;
const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const [SPACE, TAB, LINE, RETURN, ZERO, NINE] = codes(" \t\n\r09");
const [QUOTE, BACKSLASH, COMMA, COLON, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = codes('"\\,:[]{}');

/**
 * Parses one JSON value that fills the text.
 * @param fail throws for what is wrong: what was found at which character, or which key came twice
 */
export function parseStrictJson(text: string, fail: (problem: string, duplicate?: string) => never): Json {
  let at = 0;
  const whole = value(0);
  skipSpace();
  if (at < text.length) unexpected("the end");
  return whole;

  function value(depth: number): Json {
    skipSpace();
    if (depth > MAX_DEPTH) fail(`is nested deeper than ${MAX_DEPTH}`);
    const first = text.charCodeAt(at);
    if (first === QUOTE) return string();
    if (first === OPEN_ARRAY) return array(depth);
    if (first === OPEN_OBJECT) return object(depth);
    if (text.startsWith("true", at)) return word(4, true);
    if (text.startsWith("false", at)) return word(5, false);
    if (text.startsWith("null", at)) return word(4, null);
    return number();
  }

  function object(depth: number): ReadonlyMap<string, Json> {
    const entries = new Map<string, Json>();
    at++;
    if (takes(CLOSE_OBJECT)) return entries;
    do {
      skipSpace();
      if (text.charCodeAt(at) !== QUOTE) unexpected("a name in quotes");
      const key = string();
      if (entries.has(key)) fail(`has ${JSON.stringify(key.slice(0, 120))} twice`, key);
      if (!takes(COLON)) unexpected('":"');
      entries.set(key, value(depth + 1));
    } while (takes(COMMA));
    if (!takes(CLOSE_OBJECT)) unexpected('"," or "}"');
    return entries;
  }

  function array(depth: number): Json[] {
    const items: Json[] = [];
    at++;
    if (takes(CLOSE_ARRAY)) return items;
    do items.push(value(depth + 1));
    while (takes(COMMA));
    if (!takes(CLOSE_ARRAY)) unexpected('"," or "]"');
    return items;
  }

  /** Not by one regular expression: over a string of many megabytes it overflows its stack. */
  function string(): string {
    const start = at;
    do {
      at = text.indexOf('"', at + 1);
      if (at === -1) {
        at = start;
        return unexpected("a string that ends");
      }
    } while (isEscaped(start));
    const quoted = text.slice(start, ++at);
    try {
      const plain = JSON.parse(quoted) as string;
      if (!quoted.includes("\\") || !/\p{Surrogate}/u.test(plain)) return plain;
    } catch {}
    at = start;
    return unexpected("a string without control characters and with whole escapes");
  }

  /** Does an odd number of backslashes stand before the character at `at`? */
  function isEscaped(start: number): boolean {
    let first = at;
    while (first - 1 > start && text.charCodeAt(first - 1) === BACKSLASH) first--;
    return (at - first) % 2 === 1;
  }

  function number(): number {
    const start = at;
    while (isDigit(text.charCodeAt(at))) at++;
    const inDigits = !"+-.eE".includes(text.charAt(at) || " ");
    while (!inDigits && "+-.eE0123456789".includes(text.charAt(at) || " ")) at++;
    const written = text.slice(start, Math.min(at, start + MAX_DIGITS + 1));
    if (written.length > MAX_DIGITS || !jsonNumber.test(written)) {
      at = start;
      return unexpected("a value");
    }
    const number = Number(written);
    return inDigits || number < 0 || !Number.isInteger(number) ? number : Number.NaN;
  }

  function word<T>(length: number, meaning: T): T {
    at += length;
    return meaning;
  }

  function takes(mark: number | undefined): boolean {
    skipSpace();
    if (text.charCodeAt(at) !== mark) return false;
    at++;
    return true;
  }

  function skipSpace(): void {
    while (isSpace(text.charCodeAt(at))) at++;
  }

  function unexpected(expected: string): never {
    const found = at < text.length ? JSON.stringify(text.slice(at, at + 12)) : "the end";
    return fail(`has ${found} at character ${at}, expected ${expected}`);
  }
}

const isSpace = (code: number): boolean => code === SPACE || code === LINE || code === RETURN || code === TAB;
const isDigit = (code: number): boolean => code >= ZERO! && code <= NINE!;

function codes(marks: string): number[] {
  return Array.from(marks, (mark) => mark.charCodeAt(0));
}
