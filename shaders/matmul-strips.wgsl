// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 24 rows times 8 SG columns, 4 rows at a time (lib/strip.wgsl).
//
// use lib/strip.wgsl
// use lib/matmul-strips.wgsl
// use lib/matmul-frame.wgsl
// use lib/rows-float.wgsl
// use lib/grid.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Output after output: the four texels of a block lie side by side.
fn weights(place: vec2u, k: u32) -> Weights {
  let at0 = texel_at(place, k + 0u);
  let at1 = texel_at(place, k + 4u);
  let at2 = texel_at(place, k + 8u);
  let at3 = texel_at(place, k + 12u);
  let a0 = inputs(at0, 0u);
  let a1 = inputs(at1, 0u);
  let a2 = inputs(at2, 0u);
  let a3 = inputs(at3, 0u);
  let b0 = inputs(at0, 1u);
  let b1 = inputs(at1, 1u);
  let b2 = inputs(at2, 1u);
  let b3 = inputs(at3, 1u);
  let c0 = inputs(at0, 2u);
  let c1 = inputs(at1, 2u);
  let c2 = inputs(at2, 2u);
  let c3 = inputs(at3, 2u);
  let d0 = inputs(at0, 3u);
  let d1 = inputs(at1, 3u);
  let d2 = inputs(at2, 3u);
  let d3 = inputs(at3, 3u);
  return Weights(
    vec4f(a0.x, b0.x, c0.x, d0.x), vec4f(a0.y, b0.y, c0.y, d0.y),
    vec4f(a0.z, b0.z, c0.z, d0.z), vec4f(a0.w, b0.w, c0.w, d0.w),
    vec4f(a1.x, b1.x, c1.x, d1.x), vec4f(a1.y, b1.y, c1.y, d1.y),
    vec4f(a1.z, b1.z, c1.z, d1.z), vec4f(a1.w, b1.w, c1.w, d1.w),
    vec4f(a2.x, b2.x, c2.x, d2.x), vec4f(a2.y, b2.y, c2.y, d2.y),
    vec4f(a2.z, b2.z, c2.z, d2.z), vec4f(a2.w, b2.w, c2.w, d2.w),
    vec4f(a3.x, b3.x, c3.x, d3.x), vec4f(a3.y, b3.y, c3.y, d3.y),
    vec4f(a3.z, b3.z, c3.z, d3.z), vec4f(a3.w, b3.w, c3.w, d3.w),
  );
}

fn prepare(lane: u32) {}
