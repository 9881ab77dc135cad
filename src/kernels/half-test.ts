/** Does this adapter flush subnormal float16 numbers? The specification lets unpack2x16float do so. */
const code = `
@group(0) @binding(0) var<storage, read> bits: array<u32>;
@group(0) @binding(1) var<storage, read_write> opened: array<vec2f>;
@compute @workgroup_size(1) fn main() { opened[0] = unpack2x16float(bits[0]); }`;

/** Opens the words 0x0001 and 0x83ff: 2^-24 and -1023 * 2^-24. */
export async function halfFlushes(device: GPUDevice, settle: <T>(promise: Promise<T>) => Promise<T>): Promise<boolean> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const bits = device.createBuffer({ size: 4, usage });
  const opened = device.createBuffer({ size: 8, usage });
  const landing = device.createBuffer({ size: 8, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  device.queue.writeBuffer(bits, 0, new Uint32Array([0x83ff0001]));
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
  const entries = [bits, opened].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(opened, 0, landing, 0, 8);
  device.queue.submit([encoder.finish()]);
  await settle(landing.mapAsync(GPUMapMode.READ));
  const [low, high] = new Float32Array(landing.getMappedRange());
  const exact = low === 2 ** -24 && high === -1023 * 2 ** -24;
  landing.unmap();
  for (const buffer of [bits, opened, landing]) buffer.destroy();
  return !exact;
}
