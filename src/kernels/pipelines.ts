/** Pipelines and bind groups, each made once. */
import { DeviceError } from "./errors.ts";
import type { AdapterInfo, Bindable } from "./gpu.ts";
import type { Shader } from "./shader.ts";

type AnyShader = Shader<string, unknown, string>;

interface Layout {
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
  readonly groups: Map<string, GPUBindGroup>;
}

interface Prepared {
  pipeline: GPUComputePipeline;
  group: GPUBindGroup;
  immediates: Uint32Array<ArrayBuffer>;
}

export class Pipelines {
  readonly #device: GPUDevice;
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #pipelines = new Map<AnyShader, Map<string, GPUComputePipeline>>();
  readonly #layouts = new Map<string, Layout>();
  readonly #layoutOf = new Map<AnyShader, Layout>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  prepare(
    shader: AnyShader,
    info: AdapterInfo,
    overrides: unknown,
    bindings: Record<string, Bindable>,
    params: Record<string, number>,
  ): Prepared {
    const layout = this.#layout(shader);
    return {
      pipeline: this.#pipeline(shader, info, overrides as Record<string, number | boolean>, layout),
      group: this.#group(shader, layout, bindings),
      immediates: immediates(shader, params),
    };
  }

  /** Memory was destroyed: a bind group may still hold it. */
  forgetBindings(): void {
    for (const layout of this.#layouts.values()) layout.groups.clear();
  }

  #layout(shader: AnyShader): Layout {
    const known = this.#layoutOf.get(shader);
    if (known) return known;
    const immediateSize = shader.params.length * 4;
    const key = `${shader.bindings.map(({ kind }) => kind).join(" ")} ${immediateSize}`;
    let layout = this.#layouts.get(key);
    if (!layout) {
      const entries = shader.bindings.map(({ kind }, binding) => entry(binding, kind));
      const group = this.#device.createBindGroupLayout({ entries });
      const pipeline = this.#device.createPipelineLayout({ bindGroupLayouts: [group], immediateSize });
      layout = { group, pipeline, groups: new Map() };
      this.#layouts.set(key, layout);
    }
    this.#layoutOf.set(shader, layout);
    return layout;
  }

  #pipeline(shader: AnyShader, info: AdapterInfo, overrides: Record<string, number | boolean>, layout: Layout) {
    const made = this.#pipelines.get(shader) ?? new Map<string, GPUComputePipeline>();
    this.#pipelines.set(shader, made);
    const key = Object.values(overrides).join();
    const known = made.get(key);
    if (known) return known;
    const constants = Object.fromEntries(Object.entries(overrides).map(([name, value]) => [name, Number(value)]));
    const pipeline = this.#device.createComputePipeline({
      label: `${shader.name} ${key}`,
      layout: layout.pipeline,
      compute: { module: this.#module(shader, info), entryPoint: "main", constants },
    });
    made.set(key, pipeline);
    return pipeline;
  }

  #module(shader: AnyShader, info: AdapterInfo): GPUShaderModule {
    const code = shader.code.plain ?? (info.tier === "D" ? shader.code.subgroup : shader.code.workgroup);
    if (code === undefined) throw new DeviceError(`kernel ${shader.name}: has no code for tier ${info.tier}`);
    const known = this.#modules.get(code);
    if (known) return known;
    const module = this.#device.createShaderModule({ label: shader.name, code });
    this.#modules.set(code, module);
    return module;
  }

  #group(shader: AnyShader, layout: Layout, bindings: Record<string, Bindable>): GPUBindGroup {
    let key = "";
    for (const { name } of shader.bindings) key += `${bindings[name]!.id} `;
    const known = layout.groups.get(key);
    if (known) return known;
    const entries = shader.bindings.map(({ name }, binding) => ({ binding, resource: resource(bindings[name]!) }));
    const group = this.#device.createBindGroup({ layout: layout.group, entries });
    layout.groups.set(key, group);
    return group;
  }
}

const scratch = new Uint32Array(16);
const scratchFloats = new Float32Array(scratch.buffer);

/** The parameters as the shader's struct has them, four bytes each. */
function immediates(shader: AnyShader, params: Record<string, number>): Uint32Array<ArrayBuffer> {
  shader.params.forEach(({ name, type }, i) => {
    if (type === "f32") scratchFloats[i] = params[name]!;
    else scratch[i] = params[name]!;
  });
  return scratch.subarray(0, shader.params.length);
}

function entry(binding: number, kind: string): GPUBindGroupLayoutEntry {
  const visibility = GPUShaderStage.COMPUTE;
  if (kind === "texture") return { binding, visibility, texture: { sampleType: "uint" } };
  if (kind === "texture-write") return { binding, visibility, storageTexture: { format: "rgba32uint" } };
  return { binding, visibility, buffer: { type: kind === "read" ? "read-only-storage" : "storage" } };
}

function resource(bindable: Bindable): GPUBindingResource {
  return "buffer" in bindable ? { buffer: bindable.buffer! } : (bindable as { view?: GPUTextureView }).view!;
}
