// Softmax over the last axis: y = exp(x - max) / sum exp(x - max)
//
//   x, y  [vectors, width]
//
// One workgroup per vector. The maximum is subtracted, so nothing overflows; -inf gives 0.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl
// use lib/exp.wgsl

override WG: u32;

struct Params { vectors: u32, width: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = linear_group(id, count);
  if (vector >= params.vectors) { return; }
  let at = vector * params.width;
  var largest = -3.4e38;
  for (var i = lane; i < params.width; i += WG) { largest = max(largest, x[at + i]); }
  largest = group_max(largest, lane);
  var total = 0.0;
  for (var i = lane; i < params.width; i += WG) {
    let e = exp_exact(x[at + i] - largest);
    y[at + i] = e;
    total += e;
  }
  total = group_sum(total, lane);
  for (var i = lane; i < params.width; i += WG) { y[at + i] = y[at + i] / total; }
}
