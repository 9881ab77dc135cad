// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 12 rows times 8 SG columns, 3 rows at a time (lib/strip.wgsl).
//
// use lib/matmul-strips.wgsl
// use lib/rows-float.wgsl

fn weights(place: vec2u, k: u32) -> Weights {
  return weights_of(four(place, k), four(place, k + 4u), four(place, k + 8u), four(place, k + 12u));
}

fn prepare(lane: u32) {}
