// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 128 rows times 4 SETS SG columns (lib/panel.wgsl).
//
// use lib/matmul-panel.wgsl
// use lib/rows-float.wgsl

fn weights_in(place: vec2u, k: u32, lane: u32) -> Weights {
  return Weights(
    four(place, k + neighbours_of(lane, 0u)), four(place, k + neighbours_of(lane, 1u)),
    four(place, k + neighbours_of(lane, 2u)), four(place, k + neighbours_of(lane, 3u)),
  );
}
