import { ShapeError } from "./errors.ts";
import type { Gpu } from "./gpu.ts";
import { groupsOf } from "./group.ts";
import { splice as shader } from "./shaders.gen.ts";
import { rows, size, type Tensor } from "./tensor.ts";

/**
 * x [rows, tokens, ...] whose `removed` tokens from `first` on give way to those of guest [rows, inserted, ...]:
 * [rows, tokens - removed + inserted, ...]. Rows obey the batch rule.
 */
export function splice(gpu: Gpu, label: string, x: Tensor, first: number, removed: number, guest: Tensor): Tensor {
  const [, xTokens, ...rest] = x.shape as [number, number, ...number[]];
  const inserted = guest.shape[1]!;
  const width = size(rest);
  if (size(guest.shape.slice(2)) !== width) throw new ShapeError("splice", guest, ["rows", "tokens", ...rest]);
  if (first + removed > xTokens) throw new ShapeError("splice", x, ["rows", `at least ${first + removed}`, ...rest]);
  const tokens = xTokens - removed + inserted;
  const y = gpu.tensor(label, [Math.max(rows(x), rows(guest)), tokens, ...rest]);
  const count = size(y.shape);
  gpu.run(
    shader,
    {},
    { x: x.memory, guest: guest.memory, y: y.memory },
    {
      count,
      width,
      tokens,
      x_tokens: xTokens,
      first,
      removed,
      inserted,
      x_rows: rows(x),
      guest_rows: rows(guest),
    },
    groupsOf(count),
  );
  return y;
}
