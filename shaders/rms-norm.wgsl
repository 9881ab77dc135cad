// Root-mean-square norm over the last axis: y = x / sqrt(mean(x^2) + EPS) * weight
//
//   x, y    [vectors, WIDTH]
//   weight  [WIDTH]
//
// One workgroup per vector.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl

override WG: u32;
override WIDTH: u32;
override EPS: f32;

struct Params { vectors: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = linear_group(id, count);
  if (vector >= params.vectors) { return; }
  let at = vector * WIDTH;
  var squares = 0.0;
  for (var i = lane; i < WIDTH; i += WG) { squares += x[at + i] * x[at + i]; }
  let scale = 1.0 / sqrt(group_sum(squares, lane) / f32(WIDTH) + EPS);
  for (var i = lane; i < WIDTH; i += WG) { y[at + i] = x[at + i] * scale * weight[i]; }
}
