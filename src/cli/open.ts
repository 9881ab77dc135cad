/** Opens the device and the model for a command. */
import { openGpu } from "#gpu";
import type { Gpu } from "../kernels/gpu.ts";
import { findModel, loadModel } from "../models/load.ts";
import type { Model } from "../models/model.ts";

/** Runs `work` with a loaded model and closes everything after it. */
export async function withModel<T>(
  name: string,
  signal: AbortSignal,
  work: (model: Model, gpu: Gpu) => Promise<T>,
): Promise<T> {
  findModel(name); // a wrong name is told before a device is opened
  const gpu = await openGpu();
  try {
    const model = await loadModel(gpu, name, { signal });
    try {
      return await work(model, gpu);
    } finally {
      model.close();
    }
  } finally {
    gpu.close();
  }
}

/** What every output says about where it was computed. */
export const adapterLine = ({ info }: Gpu): string => `${info.name}, tier ${info.tier}, exact float32`;
