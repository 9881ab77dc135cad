// Matrix product with bias for GPUs: y = x W^T + b
//
//   x [vectors, k]   W [at least first + n, k], float32, float16 two to a word (HALF), or NF4   b as W   y [n / plane, vectors, plane]
//
// A workgroup of 16 x 16 makes a tile of 64 TALL rows and 64 WIDE columns, each invocation TALL x WIDE squares of 4 x 4 in
// registers. Both operands pass through workgroup memory 16 inputs at a time, four rows (or columns) of an input to a
// vector; vectors of an input are shuffled so that lanes that write neighbouring inputs write to other banks. Sums are kept
// in two levels, blocks of 16 inputs and the total; their order depends neither on the number of vectors nor on the tile.
//
// use lib/matmul-buffers.wgsl
// use lib/grid.wgsl

override TALL: u32;
override WIDE: u32;
const STEP = 16u;
const SIDE = 16u;
var<workgroup> xs: array<vec4f, STEP * SIDE * TALL>;
var<workgroup> ws: array<vec4f, STEP * SIDE * WIDE>;

// Four rows of four columns.
struct Square { r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, }

fn multiply_add(s: ptr<function, Square>, rows: vec4f, columns: vec4f) {
  (*s).r0 = fma(vec4f(rows.x), columns, (*s).r0);
  (*s).r1 = fma(vec4f(rows.y), columns, (*s).r1);
  (*s).r2 = fma(vec4f(rows.z), columns, (*s).r2);
  (*s).r3 = fma(vec4f(rows.w), columns, (*s).r3);
}

fn add_square(total: ptr<function, Square>, block: ptr<function, Square>) {
  (*total).r0 += (*block).r0;
  (*total).r1 += (*block).r1;
  (*total).r2 += (*block).r2;
  (*total).r3 += (*block).r3;
}

fn four_inputs(row: u32, k: u32) -> vec4f {
  return vec4f(input_at(row, k), input_at(row + 1u, k), input_at(row + 2u, k), input_at(row + 3u, k));
}

fn four_weights(column: u32, k: u32) -> vec4f {
  return vec4f(weight_of(column, k), weight_of(column + 1u, k), weight_of(column + 2u, k), weight_of(column + 3u, k));
}

fn store_row(row: u32, column: u32, value: vec4f) {
  store(row, column, value.x);
  store(row, column + 1u, value.y);
  store(row, column + 2u, value.z);
  store(row, column + 3u, value.w);
}

fn store_square(row: u32, column: u32, s: Square) {
  store_row(row, column, s.r0);
  store_row(row + 1u, column, s.r1);
  store_row(row + 2u, column, s.r2);
  store_row(row + 3u, column, s.r3);
}

@compute @workgroup_size(SIDE * SIDE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + 64u * TALL - 1u) / (64u * TALL);
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((params.n + 64u * WIDE - 1u) / (64u * WIDE))) { return; }
  let row = 64u * TALL * (tile % row_tiles);
  let column = 64u * WIDE * (tile / row_tiles);
  let high = lane / SIDE;
  let low = lane % SIDE;
  var total_00 = Square();
  var total_01 = Square();
  var total_10 = Square();
  var total_11 = Square();
  for (var k = 0u; k < params.k; k += STEP) {
    xs[SIDE * TALL * low + (high ^ low)] = four_inputs(row + 4u * high, k + low);
    ws[SIDE * WIDE * low + (high ^ low)] = four_weights(column + 4u * high, k + low);
    if (TALL > 1u) { xs[SIDE * TALL * low + SIDE + (high ^ low)] = four_inputs(row + 64u + 4u * high, k + low); }
    if (WIDE > 1u) { ws[SIDE * WIDE * low + SIDE + (high ^ low)] = four_weights(column + 64u + 4u * high, k + low); }
    workgroupBarrier();
    var block_00 = Square();
    var block_01 = Square();
    var block_10 = Square();
    var block_11 = Square();
    for (var j = 0u; j < STEP; j++) {
      let rows = SIDE * TALL * j + (high ^ j);
      let columns = SIDE * WIDE * j + (low ^ j);
      multiply_add(&block_00, xs[rows], ws[columns]);
      if (WIDE > 1u) { multiply_add(&block_01, xs[rows], ws[columns + SIDE]); }
      if (TALL > 1u) { multiply_add(&block_10, xs[rows + SIDE], ws[columns]); }
      if (TALL > 1u && WIDE > 1u) { multiply_add(&block_11, xs[rows + SIDE], ws[columns + SIDE]); }
    }
    workgroupBarrier();
    add_square(&total_00, &block_00);
    if (WIDE > 1u) { add_square(&total_01, &block_01); }
    if (TALL > 1u) { add_square(&total_10, &block_10); }
    if (TALL > 1u && WIDE > 1u) { add_square(&total_11, &block_11); }
  }
  let out_row = row + 4u * high;
  let out_column = column + 4u * low;
  store_square(out_row, out_column, total_00);
  if (WIDE > 1u) { store_square(out_row, out_column + 64u, total_01); }
  if (TALL > 1u) { store_square(out_row + 64u, out_column, total_10); }
  if (TALL > 1u && WIDE > 1u) { store_square(out_row + 64u, out_column + 64u, total_11); }
}
