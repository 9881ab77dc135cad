// The GELU that CLIP was trained with: y = x sigmoid(1.702 x)
//
//   x, y  [count]
//
// An invocation makes four neighbours; memory is lent in multiples of that.
//
// use lib/swish.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

fn quick_gelu(x: f32) -> f32 { return times_sigmoid(x, 1.702 * x); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (4u * i >= params.count) { return; }
  let v = x[i];
  y[i] = vec4f(quick_gelu(v.x), quick_gelu(v.y), quick_gelu(v.z), quick_gelu(v.w));
}
