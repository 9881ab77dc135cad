// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 12 rows times 8 SG columns, 3 rows at a time (lib/strip.wgsl).
//
// use lib/matmul-strips.wgsl
// use lib/rows-half.wgsl

fn weights(place: vec2u, k: u32) -> Weights {
  let a = eight(place, k, false);
  let b = eight(place, k + 8u, false);
  return weights_of(a.near, a.far, b.near, b.far);
}

fn prepare(lane: u32) {}
