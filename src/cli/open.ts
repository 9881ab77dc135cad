/** Opens the device and the model for a command. */
import { openGpu } from "#gpu";
import { openDry } from "../kernels/dry.ts";
import { type Gpu, MATRIX_UNITS } from "../kernels/gpu.ts";
import { fetchModel } from "../models/hub.ts";
import { loadModel } from "../models/load.ts";
import type { Model } from "../models/model.ts";
import { type Quantize, quantizations } from "../models/nf4.ts";
import { type Arguments, type Option, oneOf } from "./command.ts";
import { downloadPrinter } from "./download.ts";

const precisions = ["exact", "fast"] as const;
export type Precision = (typeof precisions)[number];

/** `--precision` of the commands that compute. */
export const precisionOption: Option = {
  value: precisions.join("|"),
  help: "fast: products of float16 on the adapter's matrix units, if it has them; not exact, and every output says so (exact)",
};

export const precisionFrom = (args: Arguments): Precision =>
  args.value("precision") === undefined ? "exact" : oneOf(args, "precision", precisions);

/** Runs `work` with the device open and the model's files there, and closes the device after it. */
export async function withGpu<T>(
  name: string,
  signal: AbortSignal,
  work: (gpu: Gpu) => Promise<T>,
  precision?: Precision,
): Promise<T> {
  await fetched(name, signal);
  return onDevice(work, precision);
}

/** A wrong name is told before a device is opened. */
const fetched = (name: string, signal: AbortSignal) => fetchModel(name, { signal, onProgress: downloadPrinter() });

async function onDevice<T>(work: (gpu: Gpu) => Promise<T>, precision: Precision = "exact"): Promise<T> {
  const gpu = await openGpu({ precision });
  if (precision === "fast" && gpu.info.tier !== "A")
    console.error(`--precision fast: ${gpu.info.name} has no matrix units for float16; the exact kernels run`);
  try {
    return await work(gpu);
  } finally {
    gpu.close();
  }
}

/** `--quantize` of the commands that load a model. */
export const quantizeOption: Option = {
  value: "nf4",
  help: "linear layers in 4 bits, as the original has LLaVA's; by default they stay as they are",
};

export const quantizeFrom = (args: Arguments): Quantize | undefined =>
  args.value("quantize") === undefined ? undefined : oneOf(args, "quantize", quantizations);

/** Loads the model for `work` and closes it after it. */
export async function loaded<T>(
  gpu: Gpu,
  name: string,
  signal: AbortSignal,
  work: (model: Model) => Promise<T>,
  quantize?: Quantize,
): Promise<T> {
  const model = await loadModel(gpu, name, { signal, ...(quantize && { quantize }) });
  try {
    return await work(model);
  } finally {
    model.close();
  }
}

/**
 * Runs `work` with the model. What is asked of it is read before, by a model without weights (`openDry`), so that what
 * cannot be is told before a device is opened and weights are loaded.
 */
export async function withAsked<Asked, T>(
  name: string,
  signal: AbortSignal,
  read: (dry: Model) => Promise<Asked>,
  work: (model: Model, gpu: Gpu, asked: Asked) => Promise<T>,
  quantize?: Quantize,
  precision?: Precision,
): Promise<T> {
  await fetched(name, signal);
  const asked = await loaded(openDry(), name, signal, read, quantize);
  return onDevice((gpu) => loaded(gpu, name, signal, (model) => work(model, gpu, asked), quantize), precision);
}

export const withModel = <T>(
  name: string,
  signal: AbortSignal,
  work: (model: Model, gpu: Gpu) => Promise<T>,
  quantize?: Quantize,
  precision?: Precision,
): Promise<T> =>
  withGpu(name, signal, (gpu) => loaded(gpu, name, signal, (model) => work(model, gpu), quantize), precision);

/** What every output says about where it was computed. */
export function adapterLine({ info }: Gpu, quantize?: Quantize): string {
  const units = info.features.includes(MATRIX_UNITS) ? "matrix units" : "emulated matrix units";
  const arithmetic = info.tier === "A" ? `products of float16 on ${units}, not exact` : "exact float32";
  return `${info.name}, tier ${info.tier}, ${arithmetic}${quantize ? ` on ${quantize} weights` : ""}`;
}
