/** overlays.npz: the grids as numbers, [sample, token(, head), side, side], with the names of all axes. */
import type { NpyArrays } from "./npy.ts";
import { npzBytes } from "./npz.ts";
import type { Overlays, TokenGrids } from "./overlay-store.ts";

/** A sample without one of the tokens has NaN there, and token -1. */
export function overlaysNpz({ overlays, heads }: Overlays): Uint8Array {
  const names = (["answer", "last"] as const).filter((name) =>
    overlays.some(({ tokens }) => tokens.some((token) => token.name === name)),
  );
  const cells = overlays.flatMap(({ tokens }) => names.map((name) => tokens.find((token) => token.name === name)));
  const patches = cells.find((cell) => cell !== undefined)?.average.length ?? 0;
  const side = Math.sqrt(patches);
  const grids = (of: (cell: TokenGrids) => readonly number[], size: number) =>
    Float32Array.from(cells.flatMap((cell) => (cell ? of(cell) : new Array<number>(size).fill(Number.NaN))));
  const shape = [overlays.length, names.length];
  const arrays: NpyArrays = {
    samples: { shape: [overlays.length], data: Int32Array.from(overlays, ({ sample }) => sample) },
    names: { shape: [names.length], data: names },
    tokens: { shape, data: Int32Array.from(cells, (cell) => cell?.token ?? -1) },
    layers: { shape: [heads.length], data: Int32Array.from(heads, ({ layer }) => layer) },
    heads: { shape: [heads.length], data: Int32Array.from(heads, ({ head }) => head) },
    average: { shape: [...shape, side, side], data: grids(({ average }) => average, patches) },
    attention: {
      shape: [...shape, heads.length, side, side],
      data: grids((cell) => cell.heads.flat(), heads.length * patches),
    },
  };
  return npzBytes(arrays);
}
