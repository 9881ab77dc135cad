// Matrix product with bias for GPUs, few vectors: y = x W^T + b
//
//   x [vectors, k]   W [at least first + n, k], float32, float16 two to a word (HALF), or NF4   b as W   y [n / plane, vectors, plane]
//
// A workgroup makes a tile of 16 x 16, so that many share the weights out where a tile of matmul.wgsl would be mostly empty.
// Both operands pass through workgroup memory 16 inputs at a time, transposed and padded so that neighbouring lanes read
// neighbouring banks. Sums are kept in two levels as there, with the same bits.
//
// use lib/weight-at.wgsl
// use lib/planes.wgsl
// use lib/grid.wgsl

override HALF: bool;
override NF4: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const SIDE = 16u;
const STRIDE = SIDE + 1u;
var<workgroup> xs: array<f32, SIDE * STRIDE>;
var<workgroup> ws: array<f32, SIDE * STRIDE>;

@compute @workgroup_size(SIDE * SIDE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + SIDE - 1u) / SIDE;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((params.n + SIDE - 1u) / SIDE)) { return; }
  let row = SIDE * (tile % row_tiles);
  let column = SIDE * (tile / row_tiles);
  let high = lane / SIDE;
  let low = lane % SIDE;
  var total = 0.0;
  for (var k = 0u; k < params.k; k += SIDE) {
    let inside = k + low < params.k;
    var a = 0.0;
    var w = 0.0;
    if (inside && row + high < params.vectors) { a = x[(row + high) * params.k + k + low]; }
    if (inside && column + high < params.n) { w = weight_at(params.first + column + high, k + low); }
    xs[low * STRIDE + high] = a;
    ws[low * STRIDE + high] = w;
    workgroupBarrier();
    var block = 0.0;
    for (var j = 0u; j < SIDE; j++) { block = fma(xs[j * STRIDE + high], ws[j * STRIDE + low], block); }
    workgroupBarrier();
    total += block;
  }
  let n = column + low;
  if (row + high >= params.vectors || n >= params.n) { return; }
  var b = 0.0;
  if (params.has_bias != 0u) { b = bias[params.first + n]; }
  y[output_at(row + high, n)] = total + b;
}
