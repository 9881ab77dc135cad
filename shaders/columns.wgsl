// A block of columns: y[v] = x[v, first .. first + width], 0 where x has no column
//
//   x [vectors, x_width]   y [vectors, width]
//
// Takes q, k and v out of a fused projection; fills rows up to a width.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, x_width: u32, first: u32, width: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let column = params.first + i % params.width;
  y[i] = select(0.0, x[i / params.width * params.x_width + min(column, params.x_width - 1u)], column < params.x_width);
}
