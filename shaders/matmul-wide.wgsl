// Matrix product with bias for software adapters of 4 lanes, more than 512 inputs: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 16 SG columns (lib/wide-tile.wgsl).
//
// use lib/wide-tile.wgsl
// use lib/matmul-wide.wgsl
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

// The weights of four outputs for four inputs, one input a column.
fn four(place: vec2u, k: u32) -> mat4x4f {
  let at = texel_at(place, k);
  return transpose(mat4x4f(inputs(at, 0u), inputs(at, 1u), inputs(at, 2u), inputs(at, 3u)));
}

fn step(block: ptr<function, Wide>, starts: Starts, at: Places, k: u32, lane: u32) {
  multiply_add(block, rows_at(starts, k + lane), WideColumns(four(at.a, k), four(at.b, k), four(at.c, k), four(at.d, k)));
}

fn add_inputs(block: ptr<function, Wide>, starts: Starts, at: Places, k: u32, lane: u32) {
  step(block, starts, at, k, lane);
  step(block, starts, at, k + 4u, lane);
  step(block, starts, at, k + 8u, lane);
  step(block, starts, at, k + 12u, lane);
}
