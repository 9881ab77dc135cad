// Some tokens give way to others: y = [x[.. first], guest, x[first + removed ..]]
//
//   x [x_rows, x_tokens, width]   guest [guest_rows, inserted, width]   y [rows, tokens, width]
//
// Puts the picture's states among the words, and shared keys and values before those of the rows.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params {
  count: u32, width: u32, tokens: u32, x_tokens: u32, first: u32, removed: u32, inserted: u32, x_rows: u32, guest_rows: u32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> guest: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let column = i % params.width;
  let token = i / params.width % params.tokens;
  let row = i / params.width / params.tokens;
  let host = row_of(row, params.x_rows) * params.x_tokens;
  if (token >= params.first && token < params.first + params.inserted) {
    let own = row_of(row, params.guest_rows) * params.inserted + token - params.first;
    y[i] = guest[own * params.width + column];
  } else {
    let own = host + select(token + params.removed - params.inserted, token, token < params.first);
    y[i] = x[own * params.width + column];
  }
}
