// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 24 rows times 8 SG columns, 4 rows at a time (lib/strip.wgsl).
//
// use lib/strip.wgsl
// use lib/matmul-strips.wgsl
// use lib/matmul-frame.wgsl
// use lib/rows-half.wgsl
// use lib/grid.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The weights of four outputs for two inputs.
struct Pair { even: vec4f, odd: vec4f, }

fn pair(a: u32, b: u32, c: u32, d: u32) -> Pair {
  let p = open_half(a);
  let q = open_half(b);
  let r = open_half(c);
  let s = open_half(d);
  return Pair(vec4f(p.x, q.x, r.x, s.x), vec4f(p.y, q.y, r.y, s.y));
}

// Output after output: the two texels of a block lie side by side.
fn weights(place: vec2u, k: u32) -> Weights {
  let at0 = texel_at(place, k + 0u);
  let at1 = texel_at(place, k + 8u);
  let a0 = inputs(at0, 0u);
  let a1 = inputs(at1, 0u);
  let b0 = inputs(at0, 1u);
  let b1 = inputs(at1, 1u);
  let c0 = inputs(at0, 2u);
  let c1 = inputs(at1, 2u);
  let d0 = inputs(at0, 3u);
  let d1 = inputs(at1, 3u);
  let p0 = pair(a0.x, b0.x, c0.x, d0.x);
  let p2 = pair(a0.y, b0.y, c0.y, d0.y);
  let p4 = pair(a0.z, b0.z, c0.z, d0.z);
  let p6 = pair(a0.w, b0.w, c0.w, d0.w);
  let p8 = pair(a1.x, b1.x, c1.x, d1.x);
  let p10 = pair(a1.y, b1.y, c1.y, d1.y);
  let p12 = pair(a1.z, b1.z, c1.z, d1.z);
  let p14 = pair(a1.w, b1.w, c1.w, d1.w);
  return Weights(
    p0.even, p0.odd, p2.even, p2.odd,
    p4.even, p4.odd, p6.even, p6.odd,
    p8.even, p8.odd, p10.even, p10.odd,
    p12.even, p12.odd, p14.even, p14.odd,
  );
}

fn prepare(lane: u32) {}
