/**
 * The tap of a growing batch. Row 0 is the base run. At each site that a cell edits, the cell gets a row of its own, row 0
 * with the edited slices replaced; what comes after runs all rows as one batch (the batch rule, models/scope.ts). Where
 * one token is replaced, that token alone goes on to the next self-attention (growing-batch.ts).
 */
import type { Gpu } from "../kernels/gpu.ts";
import { withRows } from "../kernels/rows.ts";
import { rows, size, type Tensor } from "../kernels/tensor.ts";
import { type Slice, writeSlices } from "../kernels/write-slices.ts";
import type { Tap } from "../models/scope.ts";
import type { Cell, Edit } from "./cell.ts";
import { growingBatch } from "./growing-batch.ts";

/** The tensor that an edit copies from, by its source and site. */
export type Sources = (edit: Edit) => Tensor;

export interface SpawnTap extends Tap {
  /** The row of each cell, once the forward is recorded. */
  readonly rows: readonly number[];
  /** For each cell: did its edits change any bit? */
  changed(): Promise<boolean[]>;
  release(): void;
}

/** @param single sites at which a variant may start as a single token; none where the cells need whole rows */
export function spawnTap(
  gpu: Gpu,
  cells: readonly Cell[],
  sources: Sources,
  single: ReadonlySet<string> = new Set(),
): SpawnTap {
  const writer = editWriter(gpu, cells, sources);
  const batch = growingBatch(gpu);
  const rowOf = new Array<number>(cells.length).fill(0);
  return {
    ...writer,
    rows: rowOf,
    layout: batch,
    watches: (name) => writer.at(name) !== undefined,
    site(name, activation) {
      const here = writer.at(name);
      if (!here) return activation;
      const width = size(activation.shape.slice(2));
      for (const { cell } of here)
        if (rowOf[cell] === 0) rowOf[cell] = batch.add(single.has(name) ? onlyToken(cells[cell]!, width) : null);
      const target = batch.grown(name, activation);
      return writer.write(here, activation, target, (cell) => batch.start(rowOf[cell]!, target));
    },
  };
}

/** The token that a cell replaces, where that is all it does: one edit, within `width` elements. */
export function onlyToken(cell: Cell, width: number): number | null {
  if (cell.length !== 1) return null;
  const tokens = cell[0]!.spans.flatMap(({ to, length }) => [
    Math.floor(to / width),
    Math.floor((to + length - 1) / width),
  ]);
  return tokens.every((token) => token === tokens[0]) ? tokens[0]! : null;
}

/** The slow way, for one cell: a forward of its own, edited in place, with the picture looked at anew. */
export function replaceTap(gpu: Gpu, cell: Cell, sources: Sources): SpawnTap {
  const writer = editWriter(gpu, [cell], sources);
  return {
    ...writer,
    rows: [0],
    watches: (name) => writer.at(name) !== undefined || !name.endsWith(".result"),
    site(name, activation) {
      const here = writer.at(name);
      return here
        ? writer.write(here, activation, withRows(gpu, name, activation, rows(activation)), () => 0)
        : activation;
    },
  };
}

interface Here {
  readonly cell: number;
  readonly edit: Edit;
}

/** Writes the edits of cells into rows and remembers which of them changed anything. */
function editWriter(gpu: Gpu, cells: readonly Cell[], sources: Sources) {
  const bySite = new Map<string, Here[]>();
  cells.forEach((cell, i) => {
    for (const edit of cell) bySite.set(edit.site, [...(bySite.get(edit.site) ?? []), { cell: i, edit }]);
  });
  const owners: number[] = [];
  const count = Math.max(
    1,
    cells.flat().reduce((total, { spans }) => total + spans.length, 0),
  );
  const changed = gpu.keep(gpu.upload("changed", [count], new Uint32Array(count)));
  return {
    at: (name: string) => bySite.get(name),
    write(here: readonly Here[], activation: Tensor, target: Tensor, startOf: (cell: number) => number): Tensor {
      for (const [source, group] of bySource(here, sources, activation)) {
        const slices = group.flatMap(({ cell, edit }) => slicesOf(edit, startOf(cell)));
        writeSlices(gpu, target, source, slices, changed, owners.length);
        for (const { cell, edit } of group) for (const _ of edit.spans) owners.push(cell);
      }
      return target;
    },
    async changed(): Promise<boolean[]> {
      const words = new Uint32Array((await gpu.read(changed)).buffer);
      const moved = new Set(owners.filter((_, i) => words[i] !== 0));
      return cells.map((_, i) => moved.has(i));
    },
    release: () => gpu.release(changed),
  };
}

/** One dispatch for each tensor that is copied from; fills and factors need none and go with any. */
function bySource(here: readonly Here[], sources: Sources, activation: Tensor): Map<Tensor, Here[]> {
  const groups = new Map<Tensor, Here[]>();
  for (const item of here) {
    const { source, kind } = item.edit;
    const tensor = source === "base" || kind === "fill" || kind === "scale" ? activation : sources(item.edit);
    groups.set(tensor, [...(groups.get(tensor) ?? []), item]);
  }
  return groups;
}

const slicesOf = ({ spans, kind, factor }: Edit, rowStart: number): Slice[] =>
  spans.map(({ to, from, length }) => ({ to: rowStart + to, from, length, kind, factor }));
