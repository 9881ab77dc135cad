/**
 * The tap of a growing batch. Row 0 is the base run. At each site that a cell edits, the cell gets a row of its own, row 0
 * with the edited slices replaced; what comes after runs all rows as one batch (the batch rule, models/scope.ts). Where
 * one token is replaced, that token alone goes on to the next self-attention (growing-batch.ts). Several inputs may share
 * the batch; then a cell is an edit of each, alike but for the values, and has a row of each.
 */
import type { Gpu } from "../kernels/gpu.ts";
import { withRows } from "../kernels/rows.ts";
import { rows, size, type Tensor } from "../kernels/tensor.ts";
import { type Slice, writeSlices } from "../kernels/write-slices.ts";
import type { Tap } from "../models/scope.ts";
import type { Cell, Edit } from "./cell.ts";
import { growingBatch, startOf } from "./growing-batch.ts";

/** The tensor that an edit copies from, by its source and site. */
export type Sources = (edit: Edit) => Tensor;

export interface SpawnTap extends Tap {
  /** The row of each cell among those of its input, once the forward is recorded. */
  readonly rows: readonly number[];
  /** For each input and cell: did its edits change any bit? */
  changed(): Promise<boolean[][]>;
  release(): void;
}

/**
 * @param cells of each input, which edit the same elements of the same sites
 * @param single sites at which a variant may start as a single token; none where the cells need whole rows
 */
export function spawnTap(
  gpu: Gpu,
  cells: readonly (readonly Cell[])[],
  sources: Sources,
  single: ReadonlySet<string> = new Set(),
): SpawnTap {
  const writer = editWriter(gpu, cells, sources);
  const batch = growingBatch(gpu, cells.length);
  const rowOf = new Array<number>(cells[0]!.length).fill(0);
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
        if (rowOf[cell] === 0) rowOf[cell] = batch.add(single.has(name) ? onlyToken(cells[0]![cell]!, width) : null);
      const target = batch.grown(name, activation);
      return writer.write(here, activation, target, (input, cell) => batch.start(input, rowOf[cell]!, target));
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
  const writer = editWriter(gpu, [[cell]], sources);
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
  readonly input: number;
  readonly cell: number;
  readonly edit: Edit;
}

/** Writes the edits of cells into rows and remembers which of them changed anything. */
function editWriter(gpu: Gpu, cells: readonly (readonly Cell[])[], sources: Sources) {
  const bySite = new Map<string, Here[]>();
  cells.forEach((own, input) => {
    own.forEach((edits, cell) => {
      for (const edit of edits) {
        const known = bySite.get(edit.site) ?? [];
        known.push({ input, cell, edit });
        bySite.set(edit.site, known);
      }
    });
  });
  const owners: Here[] = [];
  const count = Math.max(
    1,
    cells.flat(2).reduce((total, { spans }) => total + spans.length, 0),
  );
  const changed = gpu.keep(gpu.upload("changed", [count], new Uint32Array(count)));
  return {
    at: (name: string) => bySite.get(name),
    write(here: readonly Here[], activation: Tensor, target: Tensor, rowStart: RowStart): Tensor {
      for (const [source, group] of bySource(here, sources, activation)) {
        const slices = group.flatMap(({ input, cell, edit }) =>
          slicesOf(edit, rowStart(input, cell), startOf(source, input, cells.length)),
        );
        writeSlices(gpu, target, source, slices, changed, owners.length);
        for (const item of group) for (const _ of item.edit.spans) owners.push(item);
      }
      return target;
    },
    async changed(): Promise<boolean[][]> {
      const words = new Uint32Array((await gpu.read(changed)).buffer);
      const found = cells.map((own) => own.map(() => false));
      owners.forEach(({ input, cell }, i) => {
        if (words[i] !== 0) found[input]![cell] = true;
      });
      return found;
    },
    release: () => gpu.release(changed),
  };
}

/** The element of the target at which the row of a cell starts. */
type RowStart = (input: number, cell: number) => number;

/** One dispatch for each tensor that is copied from; fills and factors need none and go with any. */
function bySource(here: readonly Here[], sources: Sources, activation: Tensor): Map<Tensor, Here[]> {
  const groups = new Map<Tensor, Here[]>();
  for (const item of here) {
    const { source, kind } = item.edit;
    const tensor = source === "base" || kind === "fill" || kind === "scale" ? activation : sources(item.edit);
    const known = groups.get(tensor) ?? [];
    known.push(item);
    groups.set(tensor, known);
  }
  return groups;
}

const slicesOf = ({ spans, kind, factor }: Edit, toRow: number, fromRow: number): Slice[] =>
  spans.map(({ to, from, length }) => ({ to: toRow + to, from: fromRow + from, length, kind, factor }));
