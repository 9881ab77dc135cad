// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in float16, two inputs to a word
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 24 rows times 4 SG columns, 8 rows at a time (lib/strip.wgsl).
//
// use lib/strip.wgsl
// use lib/matmul-strips.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl
// use lib/half.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The weights of four neighbouring outputs for two inputs.
struct Pair { even: vec4f, odd: vec4f, }

fn pair(texel: u32, k: u32) -> Pair {
  let w = textureLoad(weight, vec2u(texel, within(k) / 2u), 0);
  let x = open_half(w.x);
  let y = open_half(w.y);
  let z = open_half(w.z);
  let u = open_half(w.w);
  return Pair(vec4f(x.x, y.x, z.x, u.x), vec4f(x.y, y.y, z.y, u.y));
}

fn weights(texel: u32, k: u32) -> Weights {
  let p0 = pair(texel, k + 0u);
  let p2 = pair(texel, k + 2u);
  let p4 = pair(texel, k + 4u);
  let p6 = pair(texel, k + 6u);
  let p8 = pair(texel, k + 8u);
  let p10 = pair(texel, k + 10u);
  let p12 = pair(texel, k + 12u);
  let p14 = pair(texel, k + 14u);
  return Weights(
    p0.even, p0.odd, p2.even, p2.odd,
    p4.even, p4.odd, p6.even, p6.odd,
    p8.even, p8.odd, p10.even, p10.odd,
    p12.even, p12.odd, p14.even, p14.odd,
  );
}
