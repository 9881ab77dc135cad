// How fast the adapter moves memory: y = x, four values an invocation.
//
//   x, y [invocations]

override WG: u32;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = id.x * WG + lane;
  y[i] = x[i];
}
