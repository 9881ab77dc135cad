// Matrix product with bias for software adapters of 4 lanes, more than 512 inputs: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 16 SG columns (lib/wide-tile.wgsl).
//
// use lib/wide-tile.wgsl
// use lib/matmul-wide.wgsl
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

// The weights of four outputs for eight inputs, one input a column.
struct Eight { near: mat4x4f, far: mat4x4f, }

// Of two words of each output: four inputs.
fn open_words(a: vec2u, b: vec2u, c: vec2u, d: vec2u) -> mat4x4f {
  return transpose(mat4x4f(
    vec4f(open_half(a.x), open_half(a.y)), vec4f(open_half(b.x), open_half(b.y)),
    vec4f(open_half(c.x), open_half(c.y)), vec4f(open_half(d.x), open_half(d.y)),
  ));
}

fn eight(place: vec2u, k: u32) -> Eight {
  let at = texel_at(place, k);
  let a = inputs(at, 0u);
  let b = inputs(at, 1u);
  let c = inputs(at, 2u);
  let d = inputs(at, 3u);
  return Eight(open_words(a.xy, b.xy, c.xy, d.xy), open_words(a.zw, b.zw, c.zw, d.zw));
}

// Eight inputs from k on.
fn two_steps(block: ptr<function, Wide>, starts: Starts, at: Places, k: u32, lane: u32) {
  let a = eight(at.a, k);
  let b = eight(at.b, k);
  let c = eight(at.c, k);
  let d = eight(at.d, k);
  multiply_add(block, rows_at(starts, k + lane), WideColumns(a.near, b.near, c.near, d.near));
  multiply_add(block, rows_at(starts, k + 4u + lane), WideColumns(a.far, b.far, c.far, d.far));
}

fn add_inputs(block: ptr<function, Wide>, starts: Starts, at: Places, k: u32, lane: u32) {
  two_steps(block, starts, at, k, lane);
  two_steps(block, starts, at, k + 8u, lane);
}
