// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/matmul-tiles.wgsl
// use lib/rows-float.wgsl
// use lib/grid.wgsl

// Four inputs from k on.
fn step(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  let rows = rows_at(starts, k + lane);
  let columns = four(place, k);
  accumulate_0(block, rows, columns[0]);
  accumulate_1(block, rows, columns[1]);
  accumulate_2(block, rows, columns[2]);
  accumulate_3(block, rows, columns[3]);
}

fn add_inputs(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  step(block, starts, place, k, lane);
  step(block, starts, place, k + 4u, lane);
  step(block, starts, place, k + 8u, lane);
  step(block, starts, place, k + 12u, lane);
}
