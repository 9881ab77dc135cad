// Matrix product with bias for software adapters of 4 lanes, more than 512 inputs: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 16 SG columns (lib/wide-tile.wgsl).
//
// use lib/wide-tile.wgsl
// use lib/matmul-wide.wgsl
// use lib/rows-half.wgsl
// use lib/grid.wgsl

// Eight inputs from k on.
fn two_steps(block: ptr<function, Wide>, starts: Starts, at: Places, k: u32, lane: u32) {
  let a = eight(at.a, k);
  let b = eight(at.b, k);
  let c = eight(at.c, k);
  let d = eight(at.d, k);
  multiply_add(block, rows_at(starts, k + lane), WideColumns(a.near, b.near, c.near, d.near));
  multiply_add(block, rows_at(starts, k + 4u + lane), WideColumns(a.far, b.far, c.far, d.far));
}

fn add_inputs(block: ptr<function, Wide>, starts: Starts, at: Places, k: u32, lane: u32) {
  two_steps(block, starts, at, k, lane);
  two_steps(block, starts, at, k + 8u, lane);
}
