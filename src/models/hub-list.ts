/** What a repository of the Hub holds, and which of it a model is read from. */
import { UserError } from "./errors.ts";
import type { RemoteFile } from "./hub-blob.node.ts";
import { isCommit, needed, WEIGHTS } from "./hub-cache.ts";
import { type Client, exchange, persist } from "./hub-http.ts";
import { escapeIn } from "./plain-name.ts";
import { SHARD_INDEX } from "./shard-index.ts";

/** Taken where they are there. */
const optional = [
  "generation_config.json",
  "special_tokens_map.json",
  "processor_config.json",
  "chat_template.json",
  "chat_template.jinja",
];

export interface Repository {
  readonly commit: string;
  /** The names of all its files. */
  readonly siblings: ReadonlySet<string>;
}

/** The commit that the revision is at now, and its files. */
export async function listRepository(client: Client): Promise<Repository> {
  const { model, revision, endpoint } = client;
  const path = `/api/models/${model}/revision/${encodeURIComponent(revision)}`;
  const text = await persist(client, () =>
    exchange(client, { path, method: "GET" }, async ({ body }) => {
      const parts: Uint8Array[] = [];
      for await (const bytes of body) parts.push(bytes);
      return Buffer.concat(parts).toString("utf8");
    }),
  );
  const { sha, siblings } = parse(text) ?? {};
  const names = Array.isArray(siblings) ? siblings.map((file: { rfilename?: unknown } | null) => file?.rfilename) : [];
  if (typeof sha === "string" && isCommit(sha) && names.length > 0) {
    return { commit: sha, siblings: new Set(names.filter((name) => typeof name === "string")) };
  }
  throw new UserError(
    `${model}: ${endpoint} answers no commit and list of files; is HF_ENDPOINT the address of a Hub, or the repository empty?`,
  );
}

function parse(text: string): { sha?: unknown; siblings?: unknown } | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The files to take; of split weights the index, which names the rest. */
export function chooseFiles({ model, revision }: Client, siblings: ReadonlySet<string>): string[] {
  const weights = [WEIGHTS, SHARD_INDEX].find((file) => siblings.has(file));
  const lacking = needed.find((file) => !siblings.has(file));
  if (lacking !== undefined) {
    throw new UserError(
      `${model}: revision ${revision} has no ${lacking}, expected ${needed.join(", ")} and ${WEIGHTS}; ` +
        "is it a model of transformers? If so save it anew: model and processor.save_pretrained",
    );
  }
  if (weights !== undefined) return [...needed, ...optional.filter((file) => siblings.has(file)), weights];
  const pickled = [...siblings].find((file) => /\.(?:bin|pt|pth|ckpt)$/.test(file));
  throw new UserError(
    `${model}: revision ${revision} has ${pickled === undefined ? "no weights" : `weights as ${pickled} only`}, expected ${WEIGHTS} or its shards; ` +
      "convert it with transformers, model.save_pretrained(FOLDER, safe_serialization=True), and give the folder; " +
      "or take a revision that has them, such as refs/pr/N",
  );
}

/** Hash and size of a file, as the Hub states them before the bytes. */
export async function describeFile(client: Client, commit: string, file: string): Promise<RemoteFile> {
  const { model } = client;
  const reason = escapeIn(file);
  if (reason !== undefined) {
    throw new UserError(
      `${model}: file name ${JSON.stringify(file)} ${reason}, expected a plain name; it is not fetched`,
    );
  }
  const path = `/${model}/resolve/${commit}/${file.split("/").map(encodeURIComponent).join("/")}`;
  return persist(client, () =>
    exchange(client, { path, method: "HEAD", file }, async ({ status, headers, linked }) => {
      const own = headers.get("etag");
      const etag = (linked("x-linked-etag") ?? own)?.replace(/^W\/|"/g, "") ?? "";
      const length = linked("x-linked-size") ?? (status < 300 ? headers.get("content-length") : null);
      if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) || !/^\d{1,15}$/.test(length ?? "")) {
        throw new UserError(
          `${model}: the Hub states ETag "${etag}" and size ${length} of ${file}, expected a sha256 or a git sha1 and a number; is HF_ENDPOINT the address of a Hub?`,
        );
      }
      const other = linked("x-repo-commit");
      if (other !== null && other !== commit) {
        throw new UserError(`${model}: ${file} comes from commit ${other}, expected ${commit}; try again later`);
      }
      const validator = status < 300 && own?.startsWith('"') ? own : undefined;
      return { file, path, size: Number(length), etag, validator };
    }),
  );
}
