// LLaMA's gate: y = silu(gate) up,  silu(g) = g sigmoid(g)
//
//   gate [gate_rows, row_size]   up [up_rows, row_size] (bound to gate without UP)   y [rows, row_size]
//
// Without UP it is silu alone, without SILU the product alone: the two halves, one after the other, give the same bits.
//
// use lib/swish.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;
override SILU: bool;
override UP: bool;

struct Params { count: u32, row_size: u32, gate_rows: u32, up_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> gate: array<f32>;
@group(0) @binding(1) var<storage, read> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let row = i / params.row_size;
  let within = i % params.row_size;
  var value = gate[row_of(row, params.gate_rows) * params.row_size + within];
  if (SILU) { value = times_sigmoid(value, value); }
  if (UP) { value *= up[row_of(row, params.up_rows) * params.row_size + within]; }
  y[i] = value;
}
