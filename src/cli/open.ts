/** Opens the device and the model for a command. */
import { openGpu } from "#gpu";
import type { Gpu } from "../kernels/gpu.ts";
import { fetchModel } from "../models/hub.ts";
import { loadModel } from "../models/load.ts";
import type { Model } from "../models/model.ts";
import { type Quantize, quantizations } from "../models/nf4.ts";
import { type Arguments, type Option, oneOf } from "./command.ts";
import { downloadPrinter } from "./download.ts";

/** Runs `work` with the device open and the model's files there, and closes the device after it. */
export async function withGpu<T>(name: string, signal: AbortSignal, work: (gpu: Gpu) => Promise<T>): Promise<T> {
  await fetchModel(name, { signal, onProgress: downloadPrinter() }); // a wrong name is told before a device is opened
  const gpu = await openGpu();
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

export const withModel = <T>(
  name: string,
  signal: AbortSignal,
  work: (model: Model, gpu: Gpu) => Promise<T>,
  quantize?: Quantize,
): Promise<T> => withGpu(name, signal, (gpu) => loaded(gpu, name, signal, (model) => work(model, gpu), quantize));

/** What every output says about where it was computed. */
export const adapterLine = ({ info }: Gpu, quantize?: Quantize): string =>
  `${info.name}, tier ${info.tier}, exact float32${quantize ? ` on ${quantize} weights` : ""}`;
