// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 24 rows times 4 SG columns, 8 rows at a time (lib/strip.wgsl).
//
// use lib/strip.wgsl
// use lib/matmul-strips.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The weights of four neighbouring outputs for input k; beyond the last they meet a zero.
fn columns(texel: u32, k: u32) -> vec4f {
  return bitcast<vec4f>(textureLoad(weight, vec2u(texel, within(k)), 0));
}

fn weights(texel: u32, k: u32) -> Weights {
  return Weights(
    columns(texel, k + 0u), columns(texel, k + 1u), columns(texel, k + 2u), columns(texel, k + 3u),
    columns(texel, k + 4u), columns(texel, k + 5u), columns(texel, k + 6u), columns(texel, k + 7u),
    columns(texel, k + 8u), columns(texel, k + 9u), columns(texel, k + 10u), columns(texel, k + 11u),
    columns(texel, k + 12u), columns(texel, k + 13u), columns(texel, k + 14u), columns(texel, k + 15u),
  );
}
