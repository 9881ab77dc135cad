/**
 * A place in a model: the prefix of its weights and of its sites, which are the same string.
 * Models only see this interface; what captures or replaces activations is a Tap, supplied from outside.
 */
import type { Gpu } from "../kernels/gpu.ts";
import type { Tensor } from "../kernels/tensor.ts";
import type { Weights } from "./weights.ts";

export type Below<Path extends string, P extends string> = Path extends `${P}.${infer Rest}` ? Rest : never;
export type Parent<Path extends string> = Path extends `${infer Head}.${infer Rest}`
  ? Head | `${Head}.${Parent<Rest>}`
  : never;

/**
 * Sees every activation where it is born; returns it, or another with the same axes and perhaps more rows. Where it
 * watches none of a model's `lastTokenSites`, these have one token.
 */
export interface Tap {
  watches(name: string): boolean;
  site(name: string, activation: Tensor): Tensor;
  readonly layout?: Layout;
}

/**
 * A variant of which one token is replaced need not be a row of its own as long as each token is treated alone: between
 * two self-attentions a tap may return [inputs, N, ...], the tokens of all rows and the single tokens of new variants.
 */
export interface Layout {
  /** How many inputs grow: the rows of each come in succession, its base run, then its variants. 1 where none does. */
  readonly inputs: number;
  /** x with a whole row for every variant: before tokens are mixed. */
  whole(x: Tensor): Tensor;
  /** x of which the last token of each row is that of its variant, all others perhaps gone: before only it is read. */
  ending(x: Tensor): Tensor;
  /** x with the rows and tokens that `like` has, unless it has more, or one row for all: before the two meet. */
  beside(x: Tensor, like: Tensor): Tensor;
}

/** Two tensors that meet, each beside the other. */
export function alike(layout: Layout, a: Tensor, b: Tensor): [Tensor, Tensor] {
  const first = layout.beside(a, b);
  return [first, layout.beside(b, first)];
}

export interface Scope<Site extends string> {
  readonly gpu: Gpu;
  readonly weights: Weights;
  readonly path: string;
  /** The scope of a child module; its type narrows the sites to those below it. */
  in<P extends Parent<Site>>(child: P): Scope<Below<Site, P>>;
  /** The activation itself, unless the tap captures or replaces it. */
  site(name: Site, activation: Tensor): Tensor;
  /** Does anyone look at this site? Only for sites that are too dear to make when nobody does. */
  watched(name: Site): boolean;
  readonly layout: Layout;
}

export function scope<Site extends string>(gpu: Gpu, weights: Weights, tap: Tap, path = ""): Scope<Site> {
  const name = (child: string) => (path === "" ? child : `${path}.${child}`);
  return {
    gpu,
    weights,
    path,
    in: (child) => scope(gpu, weights, tap, name(child)),
    site: (child, activation) => tap.site(name(child), activation),
    watched: (child) => tap.watches(name(child)),
    layout: tap.layout ?? rowsOnly,
  };
}

const rowsOnly: Layout = { inputs: 1, whole: (x) => x, ending: (x) => x, beside: (x) => x };

/** A tap that leaves everything as it is. */
export const untapped: Tap = { watches: () => false, site: (_, activation) => activation };
