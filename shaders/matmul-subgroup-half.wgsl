// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/matmul-tiles.wgsl
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

// Four inputs from k on: two words of each output.
fn step(block: ptr<function, Tile>, starts: Starts, k: u32, lane: u32, a: vec2u, b: vec2u, c: vec2u, d: vec2u) {
  let rows = rows_at(starts, k + lane);
  let a0 = open_half(a.x);
  let b0 = open_half(b.x);
  let c0 = open_half(c.x);
  let d0 = open_half(d.x);
  accumulate_0(block, rows, vec4f(a0.x, b0.x, c0.x, d0.x));
  accumulate_1(block, rows, vec4f(a0.y, b0.y, c0.y, d0.y));
  let a1 = open_half(a.y);
  let b1 = open_half(b.y);
  let c1 = open_half(c.y);
  let d1 = open_half(d.y);
  accumulate_2(block, rows, vec4f(a1.x, b1.x, c1.x, d1.x));
  accumulate_3(block, rows, vec4f(a1.y, b1.y, c1.y, d1.y));
}

// Eight inputs from k on.
fn two_steps(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  let at = texel_at(place, k);
  let a = inputs(at, 0u);
  let b = inputs(at, 1u);
  let c = inputs(at, 2u);
  let d = inputs(at, 3u);
  step(block, starts, k, lane, a.xy, b.xy, c.xy, d.xy);
  step(block, starts, k + 4u, lane, a.zw, b.zw, c.zw, d.zw);
}

fn add_inputs(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  two_steps(block, starts, place, k, lane);
  two_steps(block, starts, place, k + 8u, lane);
}
