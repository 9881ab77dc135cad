// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/matmul-tiles.wgsl
// use lib/matmul-frame.wgsl
// use lib/weight-rows.wgsl
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

fn prepare(texel: u32, lane: u32) { find_rows(texel, row_texels()); }

// Four inputs from k on.
fn step(block: ptr<function, Tile>, starts: Starts, k: u32, lane: u32, w: mat4x4f) {
  let a = rows_at(starts, k + lane);
  accumulate_0(block, a, w[0]);
  accumulate_1(block, a, w[1]);
  accumulate_2(block, a, w[2]);
  accumulate_3(block, a, w[3]);
}

fn add_inputs(block: ptr<function, Tile>, starts: Starts, texel: u32, k: u32, lane: u32) {
  let first = octet(k);
  step(block, starts, k, lane, first.near);
  step(block, starts, k + 4u, lane, first.far);
  let second = octet(k + 8u);
  step(block, starts, k + 8u, lane, second.near);
  step(block, starts, k + 12u, lane, second.far);
}
