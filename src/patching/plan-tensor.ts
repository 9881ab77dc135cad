/** Tensors out of files that a plan names, brought to the form in which the site is stored. */
import { openFile } from "#files";
import { openSafetensors } from "../models/checkpoint.ts";
import { UserError } from "../models/errors.ts";
import { type Axes, shownShape, shownValues } from "../models/sites.ts";
import { extent } from "./cell.ts";
import type { StoredTensor } from "./stored.ts";

/**
 * A tensor of a file as a whole activation, stored as the site is: given whole (as Hugging Face shapes it), or for one
 * token and then repeated for each.
 */
export async function storedTensor(
  known: Map<string, StoredTensor>,
  file: string,
  key: string,
  axes: Axes,
  shape: readonly number[],
): Promise<string> {
  const name = `${file} ${key} ${axes} ${shape.join()}`;
  if (known.has(name)) return name;
  const tensors = await openSafetensors(await openFile(file));
  try {
    const info = tensors.tensors.get(key);
    if (!info)
      throw new UserError(
        `${file}: has no tensor "${key}"; it holds ${[...tensors.tensors.keys()].slice(0, 5).join(", ")}, …`,
      );
    const values = await tensors.f32(key);
    const total = shape.reduce((a, b) => a * b, 1);
    const { tokens } = extent(axes, shape);
    if (values.length === total) known.set(name, { data: asStored(values, info.shape, axes, shape) });
    else if (values.length * tokens === total && !axes.startsWith("head token") && tokens > 0)
      known.set(name, { data: repeated(values, tokens) });
    else {
      throw new UserError(
        `${file}: ${key} has shape [${info.shape.join(", ")}], expected ${total} numbers for the whole site or ${total / tokens} for a token`,
      );
    }
    return name;
  } finally {
    await tensors.close();
  }
}

/** Turned round where the file has the site as Hugging Face shapes it; under another name it may be as it is stored. */
function asStored(
  values: Float32Array<ArrayBuffer>,
  given: readonly number[],
  axes: Axes,
  shape: readonly number[],
): Float32Array<ArrayBuffer> {
  const shown = shownShape(axes, [1, ...shape]).slice(1);
  if (given.slice(-shown.length).join() !== shown.join()) return values;
  const [a, b, ...rest] = shape as [number, number, ...number[]];
  return shownValues(axes, [1, b, a, ...rest], values);
}

function repeated(values: Float32Array, count: number): Float32Array {
  const out = new Float32Array(values.length * count);
  for (let i = 0; i < count; i++) out.set(values, i * values.length);
  return out;
}
