/** The public API. */

export { AdapterError, DeviceError, MemoryError } from "./kernels/errors.ts";
export { type GpuOptions, openGpu } from "./kernels/gpu.node.ts";
export type { AdapterInfo, Gpu } from "./kernels/gpu.ts";
export { CheckpointError } from "./models/checkpoint.ts";
export { UserError } from "./models/errors.ts";
export { type DownloadOptions, downloadModel } from "./models/hub-download.node.ts";
export type { DownloadProgress } from "./models/hub-progress.ts";
export { type LoadOptions, loadModel } from "./models/load.ts";
export type { LoadProgress } from "./models/load-weights.ts";
export type { Activation, Input, InputSource, Model, RunResult } from "./models/model.ts";
export type { Axes, Site } from "./models/sites.ts";
export { type PlannedCell, type PlanScores, sweep } from "./patching/library.ts";
export { type Plan, readPlan } from "./patching/plan.ts";
export type { CheckResult, RunRecord, RunSettings, SampleRecord, Scores } from "./patching/record.ts";
export { readRun } from "./patching/store.ts";
