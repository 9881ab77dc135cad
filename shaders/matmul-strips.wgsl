// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 24 rows times 4 SG columns, 8 rows at a time (lib/strip.wgsl).
//
// use lib/strip.wgsl
// use lib/matmul-strips.wgsl
// use lib/matmul-frame.wgsl
// use lib/weight-rows.wgsl
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
