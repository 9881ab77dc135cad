// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/matmul-tiles.wgsl
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

// Four inputs from k on.
fn step(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  let rows = rows_at(starts, k + lane);
  let at = texel_at(place, k);
  let a = inputs(at, 0u);
  let b = inputs(at, 1u);
  let c = inputs(at, 2u);
  let d = inputs(at, 3u);
  accumulate_0(block, rows, vec4f(a.x, b.x, c.x, d.x));
  accumulate_1(block, rows, vec4f(a.y, b.y, c.y, d.y));
  accumulate_2(block, rows, vec4f(a.z, b.z, c.z, d.z));
  accumulate_3(block, rows, vec4f(a.w, b.w, c.w, d.w));
}

fn add_inputs(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  step(block, starts, place, k, lane);
  step(block, starts, place, k + 4u, lane);
  step(block, starts, place, k + 8u, lane);
  step(block, starts, place, k + 12u, lane);
}
