// Sum under the batch rule: y[r] = a[r] + b[r], where the operand with fewer rows stands for its row 0 repeated.
//
//   a [a_rows, row_size]   b [b_rows, row_size]   y [rows, row_size]
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, row_size: u32, a_rows: u32, b_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let row = i / params.row_size;
  let within = i % params.row_size;
  let left = a[row_of(row, params.a_rows) * params.row_size + within];
  y[i] = left + b[row_of(row, params.b_rows) * params.row_size + within];
}
