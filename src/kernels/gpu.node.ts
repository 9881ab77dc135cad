/**
 * The adapter in Node: the `webgpu` package (Dawn) on a hardware driver, else on a software Vulkan of the system,
 * else on the SwiftShader that the optional dependency `@sparticuz/chromium` carries.
 */
import { totalmem } from "node:os";
import { version } from "../version.ts";
import { DeviceGpu } from "./device-gpu.ts";
import { AdapterError } from "./errors.ts";
import { type AdapterInfo, type Gpu, MATRIX_UNITS, type Tier } from "./gpu.ts";
import { halfFlushes } from "./half-test.ts";
import { hasMatrixUnits, unitToggles } from "./matrix-units.ts";
import { tuningFile } from "./tuning.node.ts";
import { hasVulkanLoader, loadSwiftShader, noAdapter } from "./vulkan.node.ts";

export interface GpuOptions {
  /** Which adapter; default: `NOTICE_ADAPTER`, else the first that works of hardware, software, swiftshader. */
  adapter?: "hardware" | "software" | "lavapipe" | "swiftshader";
  /**
   * `fast` may multiply in float16 on the adapter's matrix units (tier A), which is not exact; `info.tier` says whether it
   * does. Default: `exact`.
   */
  precision?: "exact" | "fast";
  /** Which kernels; default: `NOTICE_TIER`, else D on software adapters and B (or A, see `precision`) on others. */
  tier?: Tier;
  /** `safe` keeps Dawn's validation and bounds checks; default: `NOTICE_TOGGLES`, else `fast`. */
  toggles?: "safe" | "fast";
  /**
   * Measure once which tiles are fastest, on the first model's weights, and keep it in the user's cache; no bit depends on it.
   * Default: `NOTICE_TUNE` (`on` or `off`), else on GPUs.
   */
  tune?: boolean;
}

type Choice = "hardware" | "software" | "swiftshader";

/** The objects that own Dawn: if one were collected, the process would crash. */
const dawns: GPU[] = [];

const UNCHECKED = ["skip_validation", "disable_robustness"];

/**
 * Kernels write memory before they read it (test/models/fresh-memory.test.ts). Zeros would cost panels half their speed, and
 * loading a checkpoint up to half its time.
 */
const NO_ZEROS = { enabled: ["disable_workgroup_init"], disabled: ["lazy_clear_resource_on_first_use"] };

function toggleFlags({ toggles, precision }: GpuOptions): string[] {
  const safe = (toggles ?? process.env.NOTICE_TOGGLES) === "safe";
  const enabled = [...NO_ZEROS.enabled, ...(safe ? [] : UNCHECKED), ...(precision === "fast" ? unitToggles : [])];
  const disabled = [...NO_ZEROS.disabled, "timestamp_quantization"];
  return [`enable-dawn-features=${enabled.join(",")}`, `disable-dawn-features=${disabled.join(",")}`];
}

/**
 * Opens a device. Needs nothing but npm packages.
 * @throws AdapterError if there is no adapter, or not the one asked for; the message names the ways out.
 */
export async function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  const { adapter, choice } = await findAdapter(options);
  const software = choice !== "hardware";
  const fast = options.precision === "fast";
  const units = fast && hasMatrixUnits(adapter);
  const tier = options.tier ?? tierFrom(process.env.NOTICE_TIER) ?? (units ? "A" : software ? "D" : "B");
  if (tier === "A" && !fast) {
    throw new AdapterError(
      "gpu: tier A multiplies in float16, which is not exact; ask for it by precision fast, or take tier B or D",
    );
  }
  const wanted = ["subgroups", "timestamp-query", "shader-f16", ...(units && tier === "A" ? [MATRIX_UNITS] : [])];
  const features = wanted.filter((feature) => adapter.features.has(feature));
  const subgroupSize = adapter.info.subgroupMinSize ?? 4;
  if (tier === "D" && !(features.includes("subgroups") && [4, 8].includes(subgroupSize))) {
    throw new AdapterError(
      `gpu: ${adapter.info.description} has subgroups of ${features.includes("subgroups") ? subgroupSize : "no"} lanes, tier D needs 4 or 8; set NOTICE_TIER=B`,
    );
  }
  const limits = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: features as GPUFeatureName[],
    requiredLimits: {
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxTextureDimension2D: limits.maxTextureDimension2D,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    },
  });
  const info: AdapterInfo = {
    name: adapter.info.description || `${adapter.info.vendor} ${adapter.info.architecture}`,
    kind: choice,
    tier,
    subgroupSize,
    features,
    maxBindingBytes: device.limits.maxStorageBufferBindingSize,
    maxTextureSide: device.limits.maxTextureDimension2D,
    memoryBytes: memoryBytes(),
    halfFlushes: false,
  };
  const tunes = options.tune ?? tuneFrom(process.env.NOTICE_TUNE) ?? !software;
  const subject = () => `notice-webgpu ${version()}, tier ${tier}, ${adapter.info.vendor}, ${info.name}`;
  const platform = { settle: settler(software ? 0.3 : 0.05), ...(tunes && { tuning: tuningFile(subject()) }) };
  return new DeviceGpu(device, { ...info, halfFlushes: await halfFlushes(device, platform.settle) }, platform);
}

async function findAdapter(options: GpuOptions): Promise<{ adapter: GPUAdapter; choice: Choice }> {
  const asked = options.adapter ?? process.env.NOTICE_ADAPTER;
  const known = ["hardware", "software", "lavapipe", "swiftshader"];
  if (asked && !known.includes(asked)) {
    throw new AdapterError(`NOTICE_ADAPTER: got "${asked}", expected one of ${known.join(", ")}`);
  }
  const flags = toggleFlags(options);
  if (asked === "swiftshader") loadSwiftShader();
  const first = asked === "swiftshader" || hasVulkanLoader() ? await request(flags) : null;
  if (asked === "swiftshader") {
    if (first?.info.description.includes("SwiftShader")) return { adapter: first, choice: "swiftshader" };
    throw noAdapter("NOTICE_ADAPTER=swiftshader");
  }
  if (first) {
    const choice = isSoftware(first.info) ? "software" : "hardware";
    const matches = !asked || asked === choice || (asked === "lavapipe" && first.info.description.includes("llvmpipe"));
    if (matches) return { adapter: first, choice };
    throw new AdapterError(
      `NOTICE_ADAPTER=${asked}: the system's adapter is ${first.info.description} (${choice}); unset NOTICE_ADAPTER to use it`,
    );
  }
  if (asked) throw noAdapter(`NOTICE_ADAPTER=${asked}`);
  loadSwiftShader();
  const second = await request(flags);
  if (second) return { adapter: second, choice: "swiftshader" };
  throw noAdapter("gpu");
}

function isSoftware(info: GPUAdapterInfo): boolean {
  return info.isFallbackAdapter || /llvmpipe|SwiftShader/i.test(info.description);
}

async function request(flags: string[]): Promise<GPUAdapter | null> {
  const { create, globals } = await import("webgpu");
  for (const [name, value] of Object.entries(globals))
    if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
  const dawn = create(flags);
  dawns.push(dawn);
  return dawn.requestAdapter({ powerPreference: "high-performance" });
}

/**
 * While a promise of the device is pending, Dawn's event loop takes a whole core, which a software adapter needs itself:
 * sleep between its turns.
 */
function settler(milliseconds: number) {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  return async <T>(promise: Promise<T>): Promise<T> => {
    let done = false;
    const settled = promise.finally(() => {
      done = true;
    });
    settled.catch(() => {});
    while (!done) {
      Atomics.wait(cell, 0, 0, milliseconds);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return settled;
  };
}

function memoryBytes(): number {
  const asked = process.env.NOTICE_MEMORY;
  if (asked !== undefined) {
    if (/^\d+$/.test(asked)) return Number(asked);
    throw new AdapterError(`NOTICE_MEMORY: got "${asked}", expected a number of bytes`);
  }
  const limit = process.constrainedMemory?.() ?? 0;
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  return Math.floor(total * 0.75);
}

function tuneFrom(value: string | undefined): boolean | undefined {
  if (value === undefined || value === "on" || value === "off") return value === undefined ? undefined : value === "on";
  throw new AdapterError(`NOTICE_TUNE: got "${value}", expected on or off`);
}

function tierFrom(value: string | undefined): Tier | undefined {
  if (value === undefined || value === "A" || value === "B" || value === "D") return value;
  throw new AdapterError(`NOTICE_TIER: got "${value}", expected A, B or D`);
}
