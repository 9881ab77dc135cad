// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in NF4 (lib/nf4.wgsl)
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 128 rows times 4 SETS SG columns (lib/panel.wgsl).
//
// use lib/matmul-panel.wgsl
// use lib/nf4-texels.wgsl

override HALF: bool;

// From memory: a shuffle is a chain of instructions here.
var<private> table: array<f32, 16> = NF4_LEVELS;

fn level(code: u32) -> f32 { return table[code]; }

fn weights_in(place: vec2u, k: u32, lane: u32) -> Weights {
  let scale = scales(place, k);
  var w = Weights();
  for (var left = 4u; left > 0u; left--) {
    let at = k + neighbours_of(lane, left - 1u);
    let codes = code_texel(place, at) >> vec4u((4u * at) & 16u);
    w = Weights(four(codes, place, at, scale), w.p, w.q, w.r);
  }
  return w;
}
