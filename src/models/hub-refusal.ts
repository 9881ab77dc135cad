/** What an answer of the Hub means when it is no success. */
interface Asked {
  readonly model: string;
  readonly revision: string;
  readonly endpoint: string;
  readonly token: string | undefined;
}

export interface Refusal {
  readonly text: string;
  /** Milliseconds to wait before asking again; undefined where that is of no use. */
  readonly wait?: number;
}

const longestWait = 300_000;

/** Undefined for a success, for the redirect that a HEAD ends at, and for 416, a range that begins past the end. */
export function refusal(
  asked: Asked,
  { method, file }: { method: string; file?: string },
  { status, headers }: Response,
): Refusal | undefined {
  if ((status >= 200 && status < (method === "HEAD" ? 400 : 300)) || status === 416) return undefined;
  if (status === 408 || status === 429 || status >= 500) {
    return { text: `status ${status}`, wait: retryAfter(headers.get("retry-after")) };
  }
  const { model, revision, endpoint, token } = asked;
  const code = headers.get("x-error-code");
  const settings = `${endpoint}/settings/tokens`;
  if (status === 403 || code === "GatedRepo") {
    const account = token === undefined ? `log in, and put a token of ${settings} into HF_TOKEN` : "use its token";
    return {
      text: `${model}: is gated or closed to this account (${status}); open ${endpoint}/${model}, accept its terms, and ${account}`,
    };
  }
  if (status === 401) {
    const reason =
      token === undefined
        ? `no such model, or a private one (401) and no token; check the name, or put a token of ${settings} into HF_TOKEN`
        : `no such model, or the token is not valid for it (401); check the name, or make a new token at ${settings}`;
    return { text: `${model}: ${reason}` };
  }
  if (status === 404 && file !== undefined) {
    return { text: `${model}: found no ${file} at revision ${revision} (404), expected it by the list of its files` };
  }
  if (status === 404 && code === "RevisionNotFound") {
    return {
      text: `${model}: has no revision "${revision}" (404); ${endpoint}/${model} lists its branches and commits`,
    };
  }
  if (status === 404) {
    return { text: `${model}: found no such model at ${endpoint} (404); check the name, its upper and lower case too` };
  }
  return { text: `${model}: ${endpoint} answers ${status}, expected 200; is HF_ENDPOINT the address of a Hub?` };
}

/** Seconds or a date. */
function retryAfter(text: string | null): number {
  if (text === null) return 0;
  const milliseconds = /^\d+$/.test(text) ? 1000 * Number(text) : Date.parse(text) - Date.now();
  return Number.isNaN(milliseconds) ? 0 : Math.min(Math.max(milliseconds, 0), longestWait);
}
