// Matrix product with bias for GPUs: y = x W^T + b
//
//   x [vectors, k]   W [n, k], float32, float16 two to a word (HALF), or NF4   b [n]   y [vectors, n]
//
// A workgroup of 16 x 16 makes a tile of 64 x 64, each invocation EACH x EACH = 4 x 4 of it in registers; of 16 x 16 where
// there are so few vectors that most of a larger tile would be empty (EACH is 1): then more workgroups share the weights
// out. Both operands pass through workgroup memory 16 inputs at a time, x transposed and padded so that neighbouring lanes
// read neighbouring banks. Sums are kept in two levels, blocks of 16 inputs and the total; their order never depends on
// the number of vectors.
//
// use lib/weight-at.wgsl
// use lib/grid.wgsl

override EACH: u32;
override HALF: bool;
override NF4: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const STEP = 16u;
const SIDE = 65u;
var<workgroup> xs: array<f32, STEP * SIDE>;
var<workgroup> ws: array<f32, STEP * SIDE>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let side = 16u * EACH;
  let row_tiles = (params.vectors + side - 1u) / side;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((params.n + side - 1u) / side)) { return; }
  let row = side * (tile % row_tiles);
  let column = side * (tile / row_tiles);
  let ty = lane / 16u;
  let tx = lane % 16u;
  var total = array<vec4f, 4>();
  for (var k = 0u; k < params.k; k += STEP) {
    for (var i = 0u; i < EACH; i++) {
      let line = ty + 16u * i;
      let inside = k + tx < params.k;
      var a = 0.0;
      var w = 0.0;
      if (inside && row + line < params.vectors) { a = x[(row + line) * params.k + k + tx]; }
      if (inside && column + line < params.n) { w = weight_at(column + line, k + tx); }
      xs[tx * SIDE + line] = a;
      ws[tx * SIDE + line] = w;
    }
    workgroupBarrier();
    var block = array<vec4f, 4>();
    for (var j = 0u; j < STEP; j++) {
      var w = vec4f(ws[j * SIDE + tx], 0.0, 0.0, 0.0);
      if (EACH > 1u) { w = vec4f(w.x, ws[j * SIDE + tx + 16u], ws[j * SIDE + tx + 32u], ws[j * SIDE + tx + 48u]); }
      for (var i = 0u; i < EACH; i++) { block[i] = fma(vec4f(xs[j * SIDE + ty + 16u * i]), w, block[i]); }
    }
    workgroupBarrier();
    for (var i = 0u; i < EACH; i++) { total[i] += block[i]; }
  }
  for (var i = 0u; i < EACH; i++) {
    let out = row + ty + 16u * i;
    let value = total[i];
    for (var j = 0u; j < EACH; j++) {
      let n = column + tx + 16u * j;
      if (out < params.vectors && n < params.n) {
        var b = 0.0;
        if (params.has_bias != 0u) { b = bias[n]; }
        y[out * params.n + n] = value[j] + b;
      }
    }
  }
}
