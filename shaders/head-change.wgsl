// What replaced head results add to the attention's output: y[r, t] = sum over h of (now[r, h, t] - before[r, h, t])
//
//   now [now_rows, heads, tokens, width]   before [before_rows, …]   y [rows, tokens, width]
//
// With nothing replaced every difference is zero, so the output keeps its bits.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, heads: u32, tokens: u32, width: u32, now_rows: u32, before_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> now: array<f32>;
@group(0) @binding(1) var<storage, read> before: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let size = params.tokens * params.width;
  let row = i / size;
  let within = i % size;
  var total = 0.0;
  for (var h = 0u; h < params.heads; h++) {
    let a = now[(row_of(row, params.now_rows) * params.heads + h) * size + within];
    total += a - before[(row_of(row, params.before_rows) * params.heads + h) * size + within];
  }
  y[i] = total;
}
