/** Which weights lie side by side on the device, so that one product takes what reads the same input. */
import type { Gpu } from "../kernels/gpu.ts";
import { rowsOf } from "../kernels/matmul.ts";
import { isNf4, NF4_BLOCK, rowWords } from "../kernels/matrix.ts";
import type { Found } from "./load-weight.ts";
import type { Asked } from "./wanted.ts";
import type { Linears } from "./weights.ts";

/** Where a linear layer lies: among others, and the how manyth of them. */
export interface Placed {
  readonly linears: Linears;
  readonly index: number;
}

/** Those that lie next to each other together. */
export function runs(placed: readonly Placed[]): Linears[] {
  const found: { linears: Linears; first: number; count: number }[] = [];
  for (const { linears, index } of placed) {
    const last = found.at(-1);
    if (last?.linears === linears && index === last.first + last.count) last.count += 1;
    else found.push({ linears, first: index, count: 1 });
  }
  return found.map(({ linears, first, count }) => {
    const outputs = linears.weight.outputs / linears.layers;
    return { ...linears, layers: count, weight: rowsOf(linears.weight, first * outputs, count * outputs) };
  });
}

/** What is loaded as one: matrices that are asked for side by side, the longest lists first, and everything else alone. */
export function sideBySide(gpu: Gpu, found: ReadonlyMap<string, Found>, joined: Asked["joined"]): Found[][] {
  const listOf = new Map<string, readonly string[]>();
  for (const names of [...joined].sort((a, b) => b.length - a.length)) {
    const some = names.map((name) => found.get(name)!);
    const free = names.every((name) => !listOf.has(name)) && new Set(names).size === names.length;
    if (!free || !canJoin(gpu, some)) continue;
    for (const name of names) listOf.set(name, names);
  }
  return [...found.values()]
    .filter(({ want }) => want.form !== "bias" && (listOf.get(want.name)?.[0] ?? want.name) === want.name)
    .map((one) => (listOf.get(one.want.name) ?? [one.want.name]).map((name) => found.get(name)!));
}

/** One binding holds them all, and each of them begins where its kernels can find it. */
function canJoin(gpu: Gpu, some: readonly Found[]): boolean {
  const [{ want, format }] = some as [Found];
  const [outputs, inputs] = want.shape as [number, number];
  const alike = some.every(
    (other) =>
      other.format === format &&
      other.info.dtype === some[0]!.info.dtype &&
      String(other.want.shape) === String(want.shape) &&
      (other.want.bias === undefined) === (want.bias === undefined),
  );
  const bytes = 4 * some.length * outputs * rowWords(format, inputs);
  return (
    alike &&
    outputs % 4 === 0 &&
    (!isNf4(format) || (outputs * inputs) % NF4_BLOCK === 0) &&
    (gpu.info.tier === "D" || bytes <= gpu.info.maxBindingBytes)
  );
}

const AT_ONCE = 64;

/** What is loaded at the same time: vectors, because one after the other each would wait for the disk; all else is large. */
export function atTheSameTime(all: readonly Found[][]): Found[][][] {
  const isVector = ([one]: Found[]) => one!.want.form === "vector";
  const vectors = all.filter(isVector);
  const many = Array.from({ length: Math.ceil(vectors.length / AT_ONCE) }, (_, i) =>
    vectors.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
  );
  return [...many, ...all.filter((one) => !isVector(one)).map((one) => [one])];
}
