// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 128 rows times 4 SETS SG columns (lib/panel.wgsl).
//
// use lib/matmul-panel.wgsl
// use lib/rows-half.wgsl

fn weights_in(place: vec2u, k: u32, lane: u32) -> Weights {
  let odd = lane % 2u == 1u;
  let near = eight(place, k + neighbours_of(lane & 2u, 0u), odd);
  let far = eight(place, k + neighbours_of(lane & 2u, 2u), odd);
  return Weights(near.near, near.far, far.near, far.far);
}
