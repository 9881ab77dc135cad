// Matrix product with bias for software adapters: y = x W^T + b, weights in float16, two inputs to a word
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/matmul-tiles.wgsl
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

fn pair(texel: u32, word: u32) -> Pair {
  let w = textureLoad(weight, vec2u(texel, within(2u * word) / 2u), 0);
  let x = open_half(w.x);
  let y = open_half(w.y);
  let z = open_half(w.z);
  let u = open_half(w.w);
  return Pair(vec4f(x.x, y.x, z.x, u.x), vec4f(x.y, y.y, z.y, u.y));
}

// SG inputs from k on.
fn step(block: ptr<function, Tile>, starts: Starts, texel: u32, k: u32, lane: u32) {
  let a = rows_at(starts, k + lane);
  let w0 = pair(texel, k / 2u + 0u);
  accumulate_0(block, a, w0.even);
  accumulate_1(block, a, w0.odd);
  let w2 = pair(texel, k / 2u + 1u);
  accumulate_2(block, a, w2.even);
  accumulate_3(block, a, w2.odd);
  if (SG > 4u) {
    let w4 = pair(texel, k / 2u + 2u);
    accumulate_4(block, a, w4.even);
    accumulate_5(block, a, w4.odd);
    let w6 = pair(texel, k / 2u + 3u);
    accumulate_6(block, a, w6.even);
    accumulate_7(block, a, w6.odd);
  }
}

fn add_inputs(block: ptr<function, Tile>, starts: Starts, texel: u32, k: u32, lane: u32) {
  step(block, starts, texel, k, lane);
  step(block, starts, texel, k + SG, lane);
  if (SG < 8u) {
    step(block, starts, texel, k + 2u * SG, lane);
    step(block, starts, texel, k + 3u * SG, lane);
  }
}

fn prepare(lane: u32) {}
