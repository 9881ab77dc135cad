// LayerNorm over the last axis: y = (s - mean) / sqrt(variance + EPS) * weight + bias,  s = x + residual
//
//   x             [x_rows, row_size / WIDTH, WIDTH]     residual the same with residual_rows (bound to x without RESIDUAL)
//   y             [rows, row_size / WIDTH, WIDTH]
//   weight, bias  [WIDTH]
//
// One workgroup per vector, two passes: mean first, then variance about that mean,
// because E[s^2] - E[s]^2 cancels badly when the mean is large.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl

override WG: u32;
override WIDTH: u32;
override EPS: f32;
override RESIDUAL: bool;

struct Params { vectors: u32, row_size: u32, x_rows: u32, residual_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> residual: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = linear_group(id, count);
  if (vector >= params.vectors) { return; }
  let out = vector * WIDTH;
  let row = out / params.row_size;
  let within = out % params.row_size;
  let own = row_of(row, params.x_rows) * params.row_size + within;
  let beside = row_of(row, params.residual_rows) * params.row_size + within;

  var total = 0.0;
  for (var i = lane; i < WIDTH; i += WG) {
    var s = x[own + i];
    if (RESIDUAL) { s += residual[beside + i]; }
    y[out + i] = s;
    total += s;
  }
  let mean = group_sum(total, lane) / f32(WIDTH);
  var squares = 0.0;
  for (var i = lane; i < WIDTH; i += WG) {
    let d = y[out + i] - mean;
    squares += d * d;
  }
  let scale = 1.0 / sqrt(group_sum(squares, lane) / f32(WIDTH) + EPS);
  for (var i = lane; i < WIDTH; i += WG) {
    y[out + i] = (y[out + i] - mean) * scale * weight[i] + bias[i];
  }
}
