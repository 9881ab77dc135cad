/** What a command is, and how its arguments are read: every unknown or missing one is an error that says so. */
import { UserError } from "../models/errors.ts";
import { nearest } from "../models/nearest.ts";

export interface Option {
  readonly help: string;
  /** How the value is called in the help; absent for a switch. */
  readonly value?: string;
  readonly required?: boolean;
}

export interface Command {
  /** Names of the positional arguments, all of them required; the last may end in `…`: one or more. */
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  /** More lines for `--help`. */
  readonly notes?: readonly string[];
  /** Returns the exit code. */
  run(args: Arguments, signal: AbortSignal): Promise<number>;
}

export interface Arguments {
  readonly positionals: readonly string[];
  /** The value of an option, or undefined where it was not given. */
  value(name: string): string | undefined;
  flag(name: string): boolean;
}

const common: Readonly<Record<string, Option>> = { json: { help: "print one JSON document, for machines" } };

/** @throws UserError for an unknown option (with the nearest name), a missing value, a missing or superfluous argument */
export function readArguments(name: string, command: Command, argv: readonly string[]): Arguments {
  const options = { ...command.options, ...common };
  const values = new Map<string, string>();
  const positionals: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (!word.startsWith("--")) {
      positionals.push(word);
      continue;
    }
    const [key, inline] = split(word.slice(2));
    const option = Object.hasOwn(options, key) ? options[key] : undefined;
    if (!option) {
      const close = nearest(key, Object.keys(options), 1)[0];
      throw new UserError(`${name}: unknown option --${key}; nearest: --${close}; \`notice ${name} --help\` lists all`);
    }
    if (values.has(key)) throw new UserError(`${name}: --${key} is given twice`);
    if (!option.value) {
      if (inline !== undefined) throw new UserError(`${name}: --${key} takes no value, got "${inline}"`);
      values.set(key, "");
      continue;
    }
    const value = inline ?? argv[++i];
    if (value === undefined || (inline === undefined && value.startsWith("--"))) {
      throw new UserError(`${name}: --${key} needs a value: --${key} ${option.value}`);
    }
    values.set(key, value);
  }
  const missing = Object.entries(options).find(([key, { required }]) => required && !values.has(key));
  if (missing)
    throw new UserError(`${name}: needs --${missing[0]} ${missing[1].value}; \`notice ${name} --help\` says more`);
  const several = command.positionals.at(-1)?.endsWith("…") && positionals.length > command.positionals.length;
  if (positionals.length !== command.positionals.length && !several) {
    const expected = command.positionals.join(" ") || "none";
    throw new UserError(
      `${name}: got arguments ${positionals.map((word) => `"${word}"`).join(" ") || "none"}, expected ${expected}`,
    );
  }
  return { positionals, value: (key) => values.get(key), flag: (key) => values.has(key) };
}

function split(word: string): [string, string | undefined] {
  const at = word.indexOf("=");
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

export function commandHelp(name: string, summary: string, command: Command): string {
  const usage = [name, ...command.positionals, "[options]"].join(" ");
  const rows = Object.entries({ ...command.options, ...common }).map(([key, { value, help, required }]) => {
    const left = `  --${key}${value ? ` ${value}` : ""}`;
    return `${left.padEnd(28)}${left.length > 27 ? `\n${" ".repeat(28)}` : ""}${help}${required ? " (required)" : ""}`;
  });
  return [
    `notice ${name}: ${summary}`,
    "",
    `usage: notice ${usage}`,
    "",
    ...rows,
    ...(command.notes ? ["", ...command.notes] : []),
  ].join("\n");
}

/** A whole number of at least `least`, or undefined where the option was not given. */
export function wholeNumber(args: Arguments, name: string, least = 0): number | undefined {
  const text = args.value(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least) return value;
  throw new UserError(`--${name}: got "${text}", expected a whole number of at least ${least}`);
}

/** One of a few words; the first is the default. */
export function oneOf<const T extends readonly string[]>(args: Arguments, name: string, words: T): T[number] {
  const text = args.value(name) ?? words[0]!;
  if (words.includes(text)) return text;
  throw new UserError(`--${name}: got "${text}", expected ${words.join(" or ")}`);
}

/** Comma-separated words, each one of a list. */
export function someOf<const T extends readonly string[]>(args: Arguments, name: string, words: T): T[number][] {
  const given = (args.value(name) ?? "").split(",").filter((word) => word !== "");
  const wrong = given.find((word) => !words.includes(word));
  if (wrong === undefined && given.length > 0) return [...new Set(given)];
  throw new UserError(`--${name}: got "${wrong ?? ""}", expected some of ${words.join(",")}`);
}
