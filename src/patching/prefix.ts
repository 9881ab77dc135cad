/**
 * A causal language model need not compute the tokens before the first one that a cell changes: their keys and values are
 * those of the base run (Model.forward, `firstToken`). Cells name elements of whole rows; here they move to shorter ones.
 */
import type { Model } from "../models/model.ts";
import type { Axes } from "../models/sites.ts";
import { type Cell, type Edit, firstToken, withoutFirst } from "./cell.ts";
import type { Pair } from "./sweep.ts";

export interface Prefixes {
  /** How many tokens of the base run cells leave alone; 0 where the model cannot do without them. */
  ofBase(cells: readonly Cell[]): number;
  /** How many tokens of the other run come before all that cells copy. */
  ofOther(cells: readonly Cell[]): number;
  /** The cell on rows of both runs that lack their first tokens. */
  without(cell: Cell, ofBase: number, ofOther: number): Cell;
}

export function prefixes(model: Model, { base, other }: Pair): Prefixes {
  const axes = new Map(model.sites.map((site) => [site.name, site.axes]));
  const shapes = { base: model.shapes(base.ids.length), other: model.shapes(other.ids.length) };
  const shorter = model.shapes(base.ids.length, 1);
  const row = (run: "base" | "other", site: string) => shapes[run].get(site)!.slice(1);
  const canLeave = (site: string) => String(shorter.get(site)) !== String(shapes.base.get(site));
  const least = (numbers: readonly number[]) => (numbers.length === 0 ? 0 : numbers.reduce((a, b) => Math.min(a, b)));

  const shortened = (axis: Axes, run: "base" | "other", site: string, first: number) => (at: number) =>
    first === 0 ? at : withoutFirst(axis, row(run, site), first, at);

  function edit(one: Edit, ofBase: number, ofOther: number): Edit {
    const { site, sourceSite = site, source, spans } = one;
    const to = shortened(axes.get(site)!, "base", site, ofBase);
    const run = source === "other" ? "other" : "base";
    const from =
      source === "base" || source === "other"
        ? shortened(axes.get(sourceSite)!, run, sourceSite, run === "other" ? ofOther : ofBase)
        : (at: number) => at;
    return { ...one, spans: spans.map((span) => ({ ...span, to: to(span.to), from: from(span.from) })) };
  }

  return {
    ofBase(cells) {
      const edits = cells.flat();
      if (!edits.every(({ site }) => canLeave(site))) return 0;
      return least(
        edits.flatMap(({ site, spans }) => spans.map(({ to }) => firstToken(axes.get(site)!, row("base", site), to))),
      );
    },
    ofOther(cells) {
      const edits = cells.flat().filter(({ source }) => source === "other");
      if (!edits.every(({ site, sourceSite = site }) => canLeave(sourceSite))) return 0;
      return least(
        edits.flatMap(({ site, sourceSite = site, spans }) =>
          spans.map(({ from }) => firstToken(axes.get(sourceSite)!, row("other", sourceSite), from)),
        ),
      );
    },
    without: (cell, ofBase, ofOther) =>
      ofBase === 0 && ofOther === 0 ? cell : cell.map((one) => edit(one, ofBase, ofOther)),
  };
}
