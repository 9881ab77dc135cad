/** A Hub on 127.0.0.1 that answers as the real one does, large files from a second host, and has a real line's faults. */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Seen {
  readonly host: "hub" | "cdn";
  readonly method: string;
  readonly path: string;
  /** The file whose bytes or description are asked for. */
  readonly file: string | undefined;
  readonly headers: IncomingMessage["headers"];
}

/** What goes wrong with one answer. */
export interface Fault {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** After so many bytes of this answer the line is cut, or silent. */
  readonly cutAfter?: number;
  readonly silentAfter?: number;
  /** A pause after each 64 KiB. */
  readonly slow?: number;
  /** The bytes to send in place of the file's. */
  readonly bytes?: Uint8Array;
  readonly ignoreRange?: boolean;
  readonly ignoreIfRange?: boolean;
}

export interface HubServer {
  readonly endpoint: string;
  readonly commit: string;
  readonly files: Map<string, Uint8Array>;
  readonly seen: Seen[];
  /** Bytes of files that were sent. */
  sent: number;
  fault: (seen: Seen, nth: number) => Fault | undefined;
  hash(file: string): string;
  close(): Promise<void>;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const gitHash = (bytes: Uint8Array) => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
const isLarge = (file: string) => file.endsWith(".safetensors");

/** The smallest set of files that a model is read from; the weights are noise. */
export const plainFiles = (bytes = 200_000): Record<string, Uint8Array> => ({
  "config.json": Buffer.from('{"model_type":"blip"}'),
  "tokenizer.json": Buffer.from('{"model":{}}'),
  "tokenizer_config.json": Buffer.from("{}"),
  "preprocessor_config.json": Buffer.from('{"size":8}'),
  "README.md": Buffer.from("not taken"),
  "model.safetensors": randomBytes(bytes),
});

export async function hubServer(model: string, files: Record<string, Uint8Array>): Promise<HubServer> {
  const commit = randomBytes(20).toString("hex");
  const hub = createServer((request, response) => answer("hub", request, response));
  const cdn = createServer((request, response) => answer("cdn", request, response));
  const [endpoint, elsewhere] = await Promise.all([hub, cdn].map(listen));
  const server: HubServer = {
    endpoint: endpoint!,
    commit,
    files: new Map(Object.entries(files)),
    seen: [],
    sent: 0,
    fault: () => undefined,
    hash: (file) => (isLarge(file) ? sha256 : gitHash)(server.files.get(file)!),
    async close() {
      for (const side of [hub, cdn]) side.closeAllConnections();
      await Promise.all([hub, cdn].map((side) => new Promise((done) => side.close(done))));
    },
  };

  function answer(host: Seen["host"], { method = "", url = "", headers }: IncomingMessage, response: ServerResponse) {
    const path = decodeURIComponent(url);
    const file = path.match(/^\/(?:[\w.-]+\/[\w.-]+\/resolve|cache|large)\/[0-9a-f]{40}\/(.+)$/)?.[1];
    const nth = server.seen.filter((seen) => seen.host === host && seen.method === method && seen.file === file).length;
    const seen: Seen = { host, method, path, file, headers };
    server.seen.push(seen);
    const fault = server.fault(seen, nth);
    if (fault?.status !== undefined) return response.writeHead(fault.status, fault.headers).end("no");
    if (path.startsWith(`/api/models/${model}/revision/`)) {
      const siblings = [...server.files.keys()].map((rfilename) => ({ rfilename }));
      return response.end(JSON.stringify({ id: model, sha: commit, siblings }));
    }
    const bytes = file === undefined ? undefined : server.files.get(file);
    if (file === undefined || bytes === undefined) return response.writeHead(404).end();
    const linked = { "x-repo-commit": commit, ...fault?.headers };
    if (host === "hub" && isLarge(file)) {
      const large = { "x-linked-etag": `"${sha256(bytes)}"`, "x-linked-size": String(bytes.length), ...linked };
      return response.writeHead(302, { location: `${elsewhere}/large/${commit}/${file}`, ...large }).end();
    }
    if (host === "hub" && !path.startsWith("/cache/")) {
      return response.writeHead(307, { location: `/cache/${commit}/${file}`, ...linked }).end();
    }
    const etag = isLarge(file) ? `"cdn-${sha256(bytes).slice(0, 8)}"` : `"${gitHash(bytes)}"`;
    return send(seen, response, { etag, ...fault?.headers }, fault?.bytes ?? bytes, fault ?? {});
  }

  function send(
    { method, headers }: Seen,
    response: ServerResponse,
    own: Record<string, string>,
    bytes: Uint8Array,
    fault: Fault,
  ) {
    const from = Number(headers.range?.match(/^bytes=(\d+)-$/)?.[1] ?? 0);
    const same = fault.ignoreIfRange || [undefined, own.etag].includes(headers["if-range"] as string | undefined);
    const partial = from > 0 && !fault.ignoreRange && same;
    if (partial && from >= bytes.length) return response.writeHead(416).end();
    const body = partial ? bytes.subarray(from) : bytes;
    const range = partial ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(partial ? 206 : 200, { ...own, ...range, "content-length": body.length });
    if (method === "HEAD") return response.end();
    return pour(response, body, fault);
  }

  async function pour(response: ServerResponse, body: Uint8Array, { cutAfter, silentAfter, slow }: Fault) {
    const end = Math.min(body.length, cutAfter ?? silentAfter ?? body.length);
    for (let at = 0; at < end && !response.destroyed; at += 65_536) {
      const piece = body.subarray(at, Math.min(at + 65_536, end));
      server.sent += piece.length;
      await new Promise((flushed) => response.write(piece, flushed));
      if (slow !== undefined) await new Promise((wake) => setTimeout(wake, slow));
    }
    if (cutAfter !== undefined)
      setTimeout(() => response.destroy(), 100); // what was sent arrives first, on a busy machine too
    else if (silentAfter === undefined) response.end();
  }

  return server;
}

function listen(server: ReturnType<typeof createServer>): Promise<string> {
  return new Promise((ready) => {
    server.listen(0, "127.0.0.1", () => ready(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}
