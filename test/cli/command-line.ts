/** Runs the command line as a user would, in a process of its own; at most two at once. */
import { type ChildProcess, spawn } from "node:child_process";
import { expect } from "vitest";
import { UserError } from "../../src/models/errors.ts";
import { cli } from "../built.ts";

export interface Outcome {
  /** null where a signal ended the process. */
  code: number | null;
  stdout: string;
  stderr: string;
  seconds: number;
}

export interface Start {
  env?: Readonly<Record<string, string>>;
  /** Called with the process at once, and again for each piece of its standard error. */
  watch?: (child: ChildProcess, stderr: string) => void;
}

/** `notice ARGS` from the repository's root. */
export async function notice(args: readonly string[], { env, watch }: Start = {}): Promise<Outcome> {
  await turn();
  const started = performance.now();
  try {
    const child = spawn(process.execPath, [cli, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const outcome: Outcome = { code: null, stdout: "", stderr: "", seconds: 0 };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      outcome.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      outcome.stderr += text;
      watch?.(child, outcome.stderr);
    });
    watch?.(child, "");
    outcome.code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
    return { ...outcome, seconds: (performance.now() - started) / 1000 };
  } finally {
    next();
  }
}

/** The JSON document that a command with --json prints. */
export async function noticeJson<T>(args: readonly string[], start?: Start): Promise<T> {
  const { code, stdout, stderr } = await notice([...args, "--json"], start);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

/** One sentence on standard error, without a stack trace, nothing on standard output, exit code 2. */
export function expectRefusal({ code, stdout, stderr }: Outcome, message: RegExp): void {
  const said = stderr.replace(/^Warning: .*\n/gm, ""); // Dawn's own, about some drivers
  expectSentence(said.replace(/^notice: /, "").replace(/\n$/, ""), message);
  expect(said).toMatch(/^notice: /);
  expect(stdout).toBe("");
  expect(code).toBe(2);
}

function expectSentence(text: string, message: RegExp): void {
  expect(text).toMatch(message);
  expect(text.split("\n")).toHaveLength(1);
  expect(text).not.toMatch(/ {4}at |undefined|\[object/);
}

/** What a call ends in: a UserError of one sentence. */
export async function expectUserError(act: () => unknown, message: RegExp): Promise<void> {
  const error = await (async () => act())().then(
    () => expect.unreachable("nothing was refused"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  expectSentence((error as UserError).message, message);
}

let running = 0;
const waiting: (() => void)[] = [];

async function turn(): Promise<void> {
  if (running < 2) running++;
  else await new Promise<void>((wake) => waiting.push(wake));
}

function next(): void {
  const wake = waiting.shift();
  if (wake) wake();
  else running--;
}
