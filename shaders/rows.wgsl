// The batch rule made real: y[first + r] = x[r] where x has that row, else x[0].
//
//   x [x_rows, row_size]   y [at least first + rows, row_size]
//
// Spawned variants start as copies of the base run. WebGPU rejects copies within one buffer, so a kernel copies.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, row_size: u32, x_rows: u32, first: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  y[params.first * params.row_size + i] = x[row_of(i / params.row_size, params.x_rows) * params.row_size + i % params.row_size];
}
