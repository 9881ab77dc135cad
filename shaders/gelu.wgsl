// The exact GELU: y = x / 2 (1 + erf(x / sqrt 2))
//
//   x, y  [count]
//
// An invocation makes four neighbours; memory is lent in multiples of that.
//
// use lib/erf.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

fn gelu(x: f32) -> f32 { return 0.5 * x * (1.0 + erf(x * 0.70710678)); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (4u * i >= params.count) { return; }
  let v = x[i];
  y[i] = vec4f(gelu(v.x), gelu(v.y), gelu(v.z), gelu(v.w));
}
