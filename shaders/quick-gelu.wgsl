// The GELU that CLIP was trained with: y = x sigmoid(1.702 x)
//
//   x, y  [count]
//
// use lib/swish.wgsl
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
  y[i] = times_sigmoid(x[i], 1.702 * x[i]);
}
