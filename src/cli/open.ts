/** Opens the device and the model for a command. */
import { openGpu } from "#gpu";
import type { Gpu } from "../kernels/gpu.ts";
import { fetchModel } from "../models/hub.ts";
import { loadModel } from "../models/load.ts";
import type { Model } from "../models/model.ts";
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

/** Loads the model for `work` and closes it after it. */
export async function loaded<T>(
  gpu: Gpu,
  name: string,
  signal: AbortSignal,
  work: (model: Model) => Promise<T>,
): Promise<T> {
  const model = await loadModel(gpu, name, { signal });
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
): Promise<T> => withGpu(name, signal, (gpu) => loaded(gpu, name, signal, (model) => work(model, gpu)));

/** What every output says about where it was computed. */
export const adapterLine = ({ info }: Gpu): string => `${info.name}, tier ${info.tier}, exact float32`;
