import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { halfOverride } from "./matmul.ts";
import { gather as shader } from "./shaders.gen.ts";
import { type Memory, size, type Tensor } from "./tensor.ts";

/** A table [entries, width] on the device, in float32 or as float16 two to a word. */
export interface Table {
  readonly label: string;
  readonly entries: number;
  readonly width: number;
  readonly half: boolean;
  readonly memory: Memory;
}

/** Rows of a table by number: ids [1, tokens] (unsigned integers below `entries`) to [1, tokens, width]. */
export function gather(gpu: Gpu, label: string, table: Table, ids: Tensor): Tensor {
  const y = gpu.tensor(label, [...ids.shape, table.width]);
  const count = size(y.shape);
  gpu.run(
    shader,
    { WIDTH: table.width, HALF: table.half, ...halfOverride(gpu) },
    { table: table.memory, ids: ids.memory, y: y.memory },
    { count },
    groupsOf(count),
  );
  return y;
}
