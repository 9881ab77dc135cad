// Matrix product with bias on float16 matrix units: y = x W^T + b, products of float16, sums in float32. Not exact.
//
//   x [vectors, k]   W [at least first + n, k], float32, float16 two to a word (HALF), or NF4   b as W   y [n / plane, vectors, plane]
//
// A workgroup of four times 32 lanes makes a tile of 64 x 64, each subgroup a quarter of it in four matrices of 16 x 16.
// Both operands pass through workgroup memory 32 inputs at a time, rounded to float16; rows are padded so that matrices
// below each other lie in other banks. What lies beyond the edges is zero, and is not stored.
//
// use lib/matrix.wgsl
// use lib/matmul-buffers.wgsl
// use lib/grid.wgsl

const TILE = 64u;
const QUARTER = 32u;
const STEP = 32u;
const SIDE = 16u;
const STRIDE = STEP + 8u;
const LANES = 128u;
var<workgroup> xs: array<Half, TILE * STRIDE>;
var<workgroup> ws: array<Half, TILE * STRIDE>;
var<workgroup> results: array<f32, 4u * SIDE * SIDE>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32, @builtin(subgroup_id) subgroup: u32,
) {
  let row_tiles = (params.vectors + TILE - 1u) / TILE;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((params.n + TILE - 1u) / TILE)) { return; }
  let row = TILE * (tile % row_tiles);
  let column = TILE * (tile / row_tiles);
  let quarter = quarter_of(subgroup, lane);
  let down = QUARTER * (quarter / 2u);
  let across = QUARTER * (quarter % 2u);
  var sums: Sums;
  for (var k = 0u; k < params.k; k += STEP) {
    for (var i = lane; i < TILE * STEP; i += LANES) {
      let line = i / STEP;
      let input = k + i % STEP;
      xs[line * STRIDE + i % STEP] = to_half(input_at(row + line, input));
      ws[line * STRIDE + i % STEP] = to_half(weight_of(column + line, input));
    }
    workgroupBarrier();
    for (var j = 0u; j < STEP; j += SIDE) { multiply_add(&sums, down * STRIDE + j, across * STRIDE + j, lane); }
    workgroupBarrier();
  }
  for (var part = 0u; part < 4u; part++) {
    put(&sums, part, SIDE * SIDE * quarter, lane);
    workgroupBarrier();
    let first = row + down + SIDE * (part / 2u);
    let left = column + across + SIDE * (part % 2u);
    for (var i = lane % 32u; i < SIDE * SIDE; i += 32u) {
      store(first + i / SIDE, left + i % SIDE, results[SIDE * SIDE * quarter + i]);
    }
    workgroupBarrier();
  }
}
