/** Pipelines and bind groups, each made once. */
import { DeviceError } from "./errors.ts";
import { type AdapterInfo, type Bindable, MATRIX_UNITS, type Program } from "./gpu.ts";
import type { Memory, TextureMemory } from "./tensor.ts";

type AnyShader = Program["shader"];

type Overrides = Readonly<Record<string, number | boolean>>;

/** Tells the programs of one shader apart. */
const keyOf = ({ overrides }: Program): string => Object.values(overrides as Overrides).join();

interface Layout {
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
  readonly groups: Map<string, GPUBindGroup>;
}

interface Bound {
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

  /** What a dispatch needs. */
  bind(
    shader: AnyShader,
    info: AdapterInfo,
    overrides: unknown,
    bindings: Record<string, Bindable>,
    params: Record<string, number>,
  ): Bound {
    return {
      pipeline: this.#pipeline({ shader, overrides }, info),
      group: this.group(shader, bindings),
      immediates: immediates(shader, params),
    };
  }

  /** @throws DeviceError for a shader that does not compile */
  async compile(programs: Iterable<Program>, info: AdapterInfo): Promise<void> {
    const missing = [...programs].filter((program) => !this.#madeOf(program).has(keyOf(program)));
    await Promise.all(
      missing.map(async (program) => {
        const descriptor = this.#descriptor(program, info);
        const pipeline = await this.#device.createComputePipelineAsync(descriptor).catch((error: Error) => {
          throw new DeviceError(`kernel ${descriptor.label}: ${error.message}`);
        });
        this.#madeOf(program).set(keyOf(program), pipeline);
      }),
    );
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

  #pipeline(program: Program, info: AdapterInfo): GPUComputePipeline {
    const made = this.#madeOf(program);
    const key = keyOf(program);
    const pipeline = made.get(key) ?? this.#device.createComputePipeline(this.#descriptor(program, info));
    made.set(key, pipeline);
    return pipeline;
  }

  #madeOf({ shader }: Program): Map<string, GPUComputePipeline> {
    const made = this.#pipelines.get(shader) ?? new Map<string, GPUComputePipeline>();
    this.#pipelines.set(shader, made);
    return made;
  }

  #descriptor({ shader, overrides }: Program, info: AdapterInfo): GPUComputePipelineDescriptor {
    const constants = Object.fromEntries(
      Object.entries(overrides as Overrides).map(([name, value]) => [name, Number(value)]),
    );
    return {
      label: `${shader.name} ${keyOf({ shader, overrides })}`,
      layout: this.#layout(shader).pipeline,
      compute: { module: this.#module(shader, info), entryPoint: "main", constants },
    };
  }

  #module(shader: AnyShader, info: AdapterInfo): GPUShaderModule {
    const { plain, subgroup, workgroup, units, emulated } = shader.code;
    const matrices = info.features.includes(MATRIX_UNITS) ? units : emulated;
    const code = plain ?? matrices ?? (info.tier === "D" ? subgroup : workgroup);
    if (code === undefined) throw new DeviceError(`kernel ${shader.name}: has no code for tier ${info.tier}`);
    const known = this.#modules.get(code);
    if (known) return known;
    const module = this.#device.createShaderModule({ label: shader.name, code });
    this.#modules.set(code, module);
    return module;
  }

  group(shader: AnyShader, bindings: Record<string, Bindable>): GPUBindGroup {
    const layout = this.#layout(shader);
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
  if (kind === "texture-read" || kind === "texture-write") {
    const access = kind === "texture-read" ? "read-only" : "write-only";
    return { binding, visibility, storageTexture: { access, format: "rgba32uint" } };
  }
  return { binding, visibility, buffer: { type: kind === "read" ? "read-only-storage" : "storage" } };
}

function resource(bindable: Bindable): GPUBindingResource {
  if (!("buffer" in bindable)) return (bindable as TextureMemory).view!;
  const { buffer, offset, bytes } = bindable as Memory;
  return offset === undefined ? { buffer: buffer! } : { buffer: buffer!, offset, size: bytes };
}
