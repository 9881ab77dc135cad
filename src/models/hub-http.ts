/** Requests to the Hub: redirects followed by hand, refusals in words, patience with a bad line. */
import { setTimeout as pause } from "node:timers/promises";
import { UserError } from "./errors.ts";
import { refusal } from "./hub-refusal.ts";

export interface Client {
  readonly model: string;
  readonly revision: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** A line that brings no byte for so long is given up and asked again. */
  readonly stallMilliseconds: number;
  /** The pause after the first failure; each further one doubles it. */
  readonly backoffMilliseconds: number;
}

export interface Request {
  /** Below the endpoint. */
  readonly path: string;
  readonly method: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** The file that is asked for, for messages. */
  readonly file?: string;
}

export interface Answer {
  readonly status: number;
  /** Of the last response. */
  readonly headers: Headers;
  /** A header of the last response that has it, redirects included. */
  linked(name: string): string | null;
  readonly body: AsyncIterable<Uint8Array>;
}

/** A failure that may pass: the line was cut, the server is busy. */
export class Interruption extends Error {
  override name = "Interruption";
  readonly waitMilliseconds: number;
  constructor(message: string, waitMilliseconds = 0) {
    super(message);
    this.waitMilliseconds = waitMilliseconds;
  }
}

const failuresInARow = 5;
const hopsAtMost = 5;

/**
 * Repeats what was interrupted, with growing pauses; an attempt that got further than all before starts the count anew.
 * @throws UserError after five interruptions in a row without progress
 */
export async function persist<T>(
  client: Client,
  attempt: () => Promise<T>,
  progressed: () => boolean = () => false,
): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      client.signal?.throwIfAborted();
      if (!(error instanceof Interruption)) throw error;
      failures = progressed() ? 1 : failures + 1;
      if (failures > failuresInARow) throw new UserError(givenUp(client, failures, error.message), { cause: error });
      const wait = Math.max(error.waitMilliseconds, client.backoffMilliseconds * 2 ** (failures - 1));
      await pause(wait, undefined, { signal: client.signal });
    }
  }
}

const givenUp = ({ model, endpoint }: Client, times: number, reason: string): string =>
  `${model}: ${endpoint} failed ${times} times in a row (${reason}); check the network (HTTPS_PROXY is not read) and ` +
  "give the same command again, it goes on where it stopped";

/** One request and what `read` makes of its answer. HEAD stays on the Hub's own host: what it asks is answered there. */
export async function exchange<T>(client: Client, request: Request, read: (answer: Answer) => Promise<T>): Promise<T> {
  const line = watch(client);
  let last: Response | undefined;
  try {
    const trail = await follow(client, request, line);
    last = trail.at(-1)!;
    const problem = refusal(client, request, last);
    if (problem !== undefined) {
      throw problem.wait === undefined ? new UserError(problem.text) : new Interruption(problem.text, problem.wait);
    }
    return await read({
      status: last.status,
      headers: last.headers,
      linked: (name) => trail.reduce<string | null>((found, { headers }) => headers.get(name) ?? found, null),
      body: pieces(last, line),
    });
  } finally {
    if (last?.bodyUsed === false) await last.body?.cancel().catch(() => {});
  }
}

/** All responses from the first to the last, the token sent to no host but the Hub's. */
async function follow(client: Client, { path, method, headers }: Request, line: Line): Promise<Response[]> {
  const home = new URL(client.endpoint).origin;
  const trail: Response[] = [];
  let url = new URL(client.endpoint + path);
  let trusted = client.token !== undefined;
  for (let hops = 0; hops <= hopsAtMost; hops++) {
    trusted &&= url.origin === home;
    const response = await line.arrives(() =>
      fetch(url, {
        method,
        redirect: "manual",
        signal: line.signal,
        headers: {
          "user-agent": "notice-webgpu",
          "accept-encoding": "identity",
          ...headers,
          ...(trusted ? { authorization: `Bearer ${client.token}` } : {}),
        },
      }),
    );
    trail.push(response);
    const target = redirectOf(response, url);
    if (target === undefined || (method === "HEAD" && target.origin !== home)) return trail;
    await response.body?.cancel();
    url = target;
  }
  throw new UserError(
    `${client.model}: ${url.origin} redirects more than ${hopsAtMost} times, expected an answer; is HF_ENDPOINT right?`,
  );
}

function redirectOf({ status, headers }: Response, from: URL): URL | undefined {
  const location = headers.get("location");
  if (status < 301 || status > 308 || location === null || !URL.canParse(location, from.href)) return undefined;
  const target = new URL(location, from);
  return /^https?:$/.test(target.protocol) ? target : undefined;
}

async function* pieces({ body }: Response, line: Line): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await line.arrives(() => reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

interface Line {
  readonly signal: AbortSignal;
  /** Waits for the line, not longer than it may be silent; whatever fails is an interruption. */
  arrives<T>(act: () => Promise<T>): Promise<T>;
}

function watch({ signal, stallMilliseconds }: Client): Line {
  const silent = new AbortController();
  return {
    signal: signal ? AbortSignal.any([signal, silent.signal]) : silent.signal,
    async arrives(act) {
      const timer = setTimeout(() => silent.abort(), stallMilliseconds);
      try {
        return await act();
      } catch (error) {
        signal?.throwIfAborted();
        throw new Interruption(silent.signal.aborted ? `no byte for ${stallMilliseconds / 1000} s` : reasonOf(error));
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** What fetch says is "fetch failed"; the cause says why. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  return [message, cause?.code ?? cause?.message].filter(Boolean).join(", ");
}
