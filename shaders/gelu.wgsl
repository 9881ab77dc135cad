// The exact GELU: y = x / 2 (1 + erf(x / sqrt 2))
//
//   x, y  [count]
//
// use lib/erf.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  y[i] = 0.5 * x[i] * (1.0 + erf(x[i] * 0.70710678));
}
