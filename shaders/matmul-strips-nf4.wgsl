// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in NF4 (lib/nf4.wgsl)
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 12 rows times 8 SG columns, 3 rows at a time (lib/strip.wgsl).
//
// use lib/matmul-strips.wgsl
// use lib/nf4-texels.wgsl

override HALF: bool;

// The levels, two a lane: a shuffle of 8 lanes is one instruction.
var<private> held: vec2f;

fn prepare(lane: u32) {
  held = vec2f(NF4_LEVELS[lane & 7u], NF4_LEVELS[8u + (lane & 7u)]);
}

fn level(code: u32) -> f32 {
  let lane = code & 7u;
  return select(subgroupShuffle(held.x, lane), subgroupShuffle(held.y, lane), code > 7u);
}

fn weights(place: vec2u, k: u32) -> Weights {
  let scale = scales(place, k);
  let near = code_texel(place, k);
  let far = code_texel(place, k + 8u);
  return weights_of(
    four(near, place, k, scale), four(near >> vec4u(16u), place, k + 4u, scale),
    four(far, place, k + 8u, scale), four(far >> vec4u(16u), place, k + 12u, scale),
  );
}
