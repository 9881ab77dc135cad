// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in NF4 (lib/nf4.wgsl)
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 24 rows times 8 SG columns, 3 rows at a time (lib/strip.wgsl).
//
// use lib/strip.wgsl
// use lib/matmul-strips.wgsl
// use lib/matmul-frame.wgsl
// use lib/nf4-texels.wgsl
// use lib/grid.wgsl

const STRIPS = 8u;

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
  return Weights(
    columns(near >> vec4u(0u), place, k + 0u, scale),
    columns(near >> vec4u(4u), place, k + 1u, scale),
    columns(near >> vec4u(8u), place, k + 2u, scale),
    columns(near >> vec4u(12u), place, k + 3u, scale),
    columns(near >> vec4u(16u), place, k + 4u, scale),
    columns(near >> vec4u(20u), place, k + 5u, scale),
    columns(near >> vec4u(24u), place, k + 6u, scale),
    columns(near >> vec4u(28u), place, k + 7u, scale),
    columns(far >> vec4u(0u), place, k + 8u, scale),
    columns(far >> vec4u(4u), place, k + 9u, scale),
    columns(far >> vec4u(8u), place, k + 10u, scale),
    columns(far >> vec4u(12u), place, k + 11u, scale),
    columns(far >> vec4u(16u), place, k + 12u, scale),
    columns(far >> vec4u(20u), place, k + 13u, scale),
    columns(far >> vec4u(24u), place, k + 14u, scale),
    columns(far >> vec4u(28u), place, k + 15u, scale),
  );
}
