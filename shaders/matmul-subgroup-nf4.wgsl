// Matrix product with bias for software adapters: y = x W^T + b, weights in NF4 (lib/nf4.wgsl), eight inputs to a word
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/matmul-tiles.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl
// use lib/nf4.wgsl

override SG: u32;
override RAGGED: bool;
override HALF: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The levels, where the lanes find them fastest: with eight lanes in their registers, two a lane, as a shuffle is one
// instruction there; with four it is a chain of them, and memory is faster.
var<private> held: vec2f;
var<private> table: array<f32, 16> = NF4_LEVELS;

fn level(code: u32) -> f32 {
  if (SG != 8u) { return table[code]; }
  let lane = code & 7u;
  return select(subgroupShuffle(held.x, lane), subgroupShuffle(held.y, lane), code > 7u);
}

// Levels of four neighbouring outputs by the lowest four bits of their codes.
fn levels(codes: vec4u) -> vec4f {
  let code = codes & vec4u(15u);
  return vec4f(level(code.x), level(code.y), level(code.z), level(code.w));
}

fn code_texel(texel: u32, k: u32) -> vec4u {
  return textureLoad(weight, vec2u(texel, nf4_word(within(k))), 0);
}

fn scale_texel(texel: u32, output: u32, k: u32) -> vec4f {
  let block = nf4_block(params.k, 4u * texel + output, within(k));
  let words = textureLoad(weight, vec2u(texel, nf4_scale_word(params.k, block)), 0);
  return vec4f(nf4_scale(words.x, block), nf4_scale(words.y, block), nf4_scale(words.z, block), nf4_scale(words.w, block));
}

// Scales of four neighbouring outputs for input k: one texel, unless the outputs' rows begin within blocks.
fn scales(texel: u32, k: u32) -> vec4f {
  let first = scale_texel(texel, 0u, k);
  if (!RAGGED) { return first; }
  return vec4f(first.x, scale_texel(texel, 1u, k).y, scale_texel(texel, 2u, k).z, scale_texel(texel, 3u, k).w);
}

// The weights of four neighbouring outputs for input k; `block` are the scales where rows begin with a block.
fn columns(codes: vec4u, texel: u32, k: u32, block: vec4f) -> vec4f {
  if (!RAGGED) { return levels(codes) * block; }
  return levels(codes) * scales(texel, k);
}

// SG inputs from k on, their codes from the lowest bits up.
fn step(block: ptr<function, Tile>, starts: Starts, texel: u32, codes: vec4u, scale: vec4f, k: u32, lane: u32) {
  let a = rows_at(starts, k + lane);
  accumulate_0(block, a, columns(codes >> vec4u(0u), texel, k + 0u, scale));
  accumulate_1(block, a, columns(codes >> vec4u(4u), texel, k + 1u, scale));
  accumulate_2(block, a, columns(codes >> vec4u(8u), texel, k + 2u, scale));
  accumulate_3(block, a, columns(codes >> vec4u(12u), texel, k + 3u, scale));
  if (SG > 4u) {
    accumulate_4(block, a, columns(codes >> vec4u(16u), texel, k + 4u, scale));
    accumulate_5(block, a, columns(codes >> vec4u(20u), texel, k + 5u, scale));
    accumulate_6(block, a, columns(codes >> vec4u(24u), texel, k + 6u, scale));
    accumulate_7(block, a, columns(codes >> vec4u(28u), texel, k + 7u, scale));
  }
}

fn place_of(texel: u32) -> vec2u { return vec2u(texel, 0u); }

fn add_inputs(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  let texel = place.x;
  let scale = scales(texel, k);
  let near = code_texel(texel, k);
  let far = code_texel(texel, k + 8u);
  step(block, starts, texel, near, scale, k, lane);
  if (SG < 8u) { step(block, starts, texel, near >> vec4u(16u), scale, k + SG, lane); }
  step(block, starts, texel, far, scale, k + 8u, lane);
  if (SG < 8u) { step(block, starts, texel, far >> vec4u(16u), scale, k + 8u + SG, lane); }
}

fn prepare(lane: u32) {
  held = vec2f(NF4_LEVELS[lane & 7u], NF4_LEVELS[8u + (lane & 7u)]);
}
