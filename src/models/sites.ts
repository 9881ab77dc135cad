/**
 * What is known about each site: axes, formula, place. A model declares its sites beside the code that makes them;
 * this turns the declarations into the list that `notice sites` prints and that plans are checked against.
 */
import { UserError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/**
 * What the dimensions after the batch mean, as Hugging Face shapes them. On the device `head token dim` is stored token
 * first, like `token head dim`, and `patch hidden` is stored patch first, though the convolution gives channels first.
 */
export type Axes =
  | "channel row column"
  | "patch hidden"
  | "token hidden"
  | "token mlp"
  | "token qkv"
  | "token dim"
  | "token head dim"
  | "head token dim"
  | "head token source"
  | "head token hidden"
  | "token vocab"
  | "hidden";

export interface SiteSpec {
  readonly axes: Axes;
  readonly formula: string;
  /** Before or after the residual stream is added. */
  readonly residual?: "before" | "after";
  /** Before or after the normalisation that belongs to this step. */
  readonly norm?: "before" | "after";
  /**
   * Between self-attentions: may a variant start here as a single token (scope.ts, Layout)? `false` where what follows
   * needs whole rows; absent outside such stretches.
   */
  readonly single?: boolean;
  /** Other names of the same tensor, relative to the same place ("" is the place itself), each with its own axes. */
  readonly aliases?: Readonly<Record<string, Axes>>;
}

export type SiteTable = Readonly<Record<string, SiteSpec>>;

export interface SiteName {
  readonly name: string;
  readonly axes: Axes;
}

export interface Site {
  readonly name: string;
  readonly axes: Axes;
  readonly formula: string;
  readonly residual: "before" | "after" | null;
  readonly norm: "before" | "after" | null;
  readonly single: boolean | null;
  readonly aliases: readonly SiteName[];
}

/** The sites of a table at a place in the model. */
export function placed(path: string, table: SiteTable): Site[] {
  const join = (name: string) => [path, name].filter((part) => part !== "").join(".");
  return Object.entries(table).map(([name, { axes, formula, residual, norm, single, aliases }]) => ({
    name: join(name),
    axes,
    formula,
    residual: residual ?? null,
    norm: norm ?? null,
    single: single ?? null,
    aliases: Object.entries(aliases ?? {}).map(([alias, aliasAxes]) => ({ name: join(alias), axes: aliasAxes })),
  }));
}

/** The same sites, of which `name` has more aliases: where an outer module ends with an inner one. */
export function alsoCalled(sites: Site[], name: string, ...others: string[]): Site[] {
  return sites.map((site) =>
    site.name === name
      ? { ...site, aliases: [...site.aliases, ...others.map((other) => ({ name: other, axes: site.axes }))] }
      : site,
  );
}

/** Every accepted name, with the site that it means and the axes under that name. */
export function siteIndex(sites: readonly Site[]): ReadonlyMap<string, { site: Site; axes: Axes }> {
  const index = new Map<string, { site: Site; axes: Axes }>();
  for (const site of sites) {
    for (const { name, axes } of [site, ...site.aliases]) index.set(name, { site, axes });
  }
  return index;
}

/**
 * Names and patterns (`*` is any run of characters without a dot, `**` any run) to accepted names, in the model's order.
 * @throws UserError for one that matches nothing, with the nearest names.
 */
export function matchSites(sites: readonly Site[], patterns: readonly string[]): SiteName[] {
  const names = sites.flatMap((site) => [site, ...site.aliases]).map(({ name, axes }) => ({ name, axes }));
  const wanted = new Set<string>();
  for (const pattern of patterns) {
    const test = patternOf(pattern);
    const hits = pattern.includes("*")
      ? sites.filter(({ name }) => test.test(name))
      : names.filter(({ name }) => name === pattern);
    const found = hits.length > 0 ? hits : names.filter(({ name }) => test.test(name));
    if (found.length === 0) throw unknownSite(pattern, names);
    for (const { name } of found) wanted.add(name);
  }
  return names.filter(({ name }) => wanted.has(name));
}

/** The sites that names and patterns mean, each once, in the model's order. */
export function meantSites(sites: readonly Site[], patterns: readonly string[]): Site[] {
  const index = siteIndex(sites);
  return [...new Set(matchSites(sites, patterns).map(({ name }) => index.get(name)!.site))];
}

export function unknownSite(name: string, sites: readonly SiteName[]): UserError {
  const close = nearest(
    name,
    sites.map((site) => site.name),
  );
  return new UserError(
    `site "${name}" matches nothing in this model; nearest: ${close.join(", ")}; \`notice sites\` lists all`,
  );
}

function patternOf(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/\*\*/g, "\u0000").replace(/\*/g, "[^.]*").replaceAll("\u0000", ".*")}$`);
}

/** How Hugging Face shapes an activation that is stored as `stored` (batch first). */
export function shownShape(axes: Axes, stored: readonly number[]): number[] {
  const [rows, ...rest] = stored as [number, ...number[]];
  const [a, b, c] = rest as [number, number, number];
  if (axes === "head token dim") return [rows, b, a, c];
  if (axes === "patch hidden") return [rows, b, Math.sqrt(a), Math.sqrt(a)];
  if (rest.length === 3 && axes.startsWith("token")) return [rows, a, b * c];
  return [rows, ...rest];
}

/** Values as stored, rearranged to the shape of `shownShape`. */
export function shownValues(
  axes: Axes,
  stored: readonly number[],
  data: Float32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> {
  const rows = stored[0]!;
  const rest = stored.slice(1) as [number, number, number?];
  if (axes === "head token dim") return swap(data, rows, rest[0], rest[1], rest[2] ?? 1);
  if (axes === "patch hidden") return swap(data, rows, rest[0], rest[1], 1);
  return data;
}

/** [rows, a, b, c] to [rows, b, a, c]. */
function swap(data: Float32Array, rows: number, a: number, b: number, c: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < a; i++) {
      for (let j = 0; j < b; j++) {
        const from = ((r * a + i) * b + j) * c;
        out.set(data.subarray(from, from + c), ((r * b + j) * a + i) * c);
      }
    }
  }
  return out;
}
