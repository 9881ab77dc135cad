// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/matmul-tiles.wgsl
// use lib/rows-half.wgsl
// use lib/grid.wgsl

fn step(block: ptr<function, Tile>, starts: Starts, k: u32, lane: u32, columns: mat4x4f) {
  let rows = rows_at(starts, k + lane);
  accumulate_0(block, rows, columns[0]);
  accumulate_1(block, rows, columns[1]);
  accumulate_2(block, rows, columns[2]);
  accumulate_3(block, rows, columns[3]);
}

// Eight inputs from k on.
fn two_steps(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  let columns = eight(place, k);
  step(block, starts, k, lane, columns.near);
  step(block, starts, k + 4u, lane, columns.far);
}

fn add_inputs(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  two_steps(block, starts, place, k, lane);
  two_steps(block, starts, place, k + 8u, lane);
}
