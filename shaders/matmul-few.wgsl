// Matrix product with bias for GPUs, few vectors: y = x W^T + b
//
//   x [vectors, k]   W [at least first + n, k], float32, float16 two to a word (HALF), or NF4   b as W   y [n / plane, vectors, plane]
//
// A workgroup makes a tile of 16 x 16, so that many share the weights out where a tile of matmul.wgsl would be mostly empty.
// Both operands pass through workgroup memory 16 inputs at a time, transposed and padded so that neighbouring lanes read
// neighbouring banks. Sums are kept in two levels as there, with the same bits.
//
// use lib/matmul-buffers.wgsl
// use lib/grid.wgsl

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
    xs[low * STRIDE + high] = input_at(row + high, k + low);
    ws[low * STRIDE + high] = weight_of(column + high, k + low);
    workgroupBarrier();
    var block = 0.0;
    for (var j = 0u; j < SIDE; j++) { block = fma(xs[j * STRIDE + high], ws[j * STRIDE + low], block); }
    workgroupBarrier();
    total += block;
  }
  store(row + high, column + low, total);
}
