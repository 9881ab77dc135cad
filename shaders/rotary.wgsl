// Rotary position embedding: y[d] = x[d] cos[d] + r[d] sin[d],  r = [-second half of x, first half of x]
//
//   x [x_rows, tokens, HEADS, DIM]   cos [cos_rows, tokens, DIM]   sin [sin_rows, tokens, DIM]   y [rows, tokens, HEADS, DIM]
//
// The angles come as tables, because the model's are those of float32 arithmetic in one order.
//
// use lib/grid.wgsl

override WG: u32 = 64;
override HEADS: u32;
override DIM: u32;

struct Params { count: u32, tokens: u32, x_rows: u32, cos_rows: u32, sin_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> cos_table: array<f32>;
@group(0) @binding(2) var<storage, read> sin_table: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let d = i % DIM;
  let head = i / DIM % HEADS;
  let token = i / DIM / HEADS % params.tokens;
  let row = i / DIM / HEADS / params.tokens;
  let at = ((row_of(row, params.x_rows) * params.tokens + token) * HEADS + head) * DIM + d;
  let first = d < DIM / 2u;
  let other = x[select(at - DIM / 2u, at + DIM / 2u, first)];
  let turned = select(other, -other, first) * sin_table[(row_of(row, params.sin_rows) * params.tokens + token) * DIM + d];
  y[i] = fma(x[at], cos_table[(row_of(row, params.cos_rows) * params.tokens + token) * DIM + d], turned);
}
