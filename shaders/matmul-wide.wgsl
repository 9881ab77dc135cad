// Matrix product with bias for software adapters of 4 lanes, more than 512 inputs: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 16 SG columns (lib/wide-tile.wgsl).
//
// use lib/wide-tile.wgsl
// use lib/matmul-wide.wgsl
// use lib/rows-float.wgsl
// use lib/grid.wgsl

fn step(block: ptr<function, Wide>, starts: Starts, at: Places, k: u32, lane: u32) {
  multiply_add(block, rows_at(starts, k + lane), WideColumns(four(at.a, k), four(at.b, k), four(at.c, k), four(at.d, k)));
}

fn add_inputs(block: ptr<function, Wide>, starts: Starts, at: Places, k: u32, lane: u32) {
  step(block, starts, at, k, lane);
  step(block, starts, at, k + 4u, lane);
  step(block, starts, at, k + 8u, lane);
  step(block, starts, at, k + 12u, lane);
}
