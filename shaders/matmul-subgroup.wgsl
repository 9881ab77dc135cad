// Matrix product with bias for software adapters: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/matmul-tiles.wgsl
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

// SG inputs from k on.
fn step(block: ptr<function, Tile>, starts: Starts, texel: u32, k: u32, lane: u32) {
  let a = rows_at(starts, k + lane);
  accumulate_0(block, a, columns(texel, k + 0u));
  accumulate_1(block, a, columns(texel, k + 1u));
  accumulate_2(block, a, columns(texel, k + 2u));
  accumulate_3(block, a, columns(texel, k + 3u));
  if (SG > 4u) {
    accumulate_4(block, a, columns(texel, k + 4u));
    accumulate_5(block, a, columns(texel, k + 5u));
    accumulate_6(block, a, columns(texel, k + 6u));
    accumulate_7(block, a, columns(texel, k + 7u));
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
