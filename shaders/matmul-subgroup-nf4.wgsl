// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in NF4 (lib/nf4.wgsl)
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/matmul-tiles.wgsl
// use lib/nf4-texels.wgsl
// use lib/grid.wgsl

override HALF: bool;

// From memory: a shuffle is a chain of instructions here.
var<private> table: array<f32, 16> = NF4_LEVELS;

fn level(code: u32) -> f32 { return table[code]; }

// Four inputs from k on, their codes from the lowest bits up.
fn step(block: ptr<function, Tile>, starts: Starts, place: vec2u, codes: vec4u, scale: vec4f, k: u32, lane: u32) {
  let rows = rows_at(starts, k + lane);
  accumulate_0(block, rows, columns(codes >> vec4u(0u), place, k + 0u, scale));
  accumulate_1(block, rows, columns(codes >> vec4u(4u), place, k + 1u, scale));
  accumulate_2(block, rows, columns(codes >> vec4u(8u), place, k + 2u, scale));
  accumulate_3(block, rows, columns(codes >> vec4u(12u), place, k + 3u, scale));
}

fn add_inputs(block: ptr<function, Tile>, starts: Starts, place: vec2u, k: u32, lane: u32) {
  let scale = scales(place, k);
  let near = code_texel(place, k);
  let far = code_texel(place, k + 8u);
  step(block, starts, place, near, scale, k, lane);
  step(block, starts, place, near >> vec4u(16u), scale, k + 4u, lane);
  step(block, starts, place, far, scale, k + 8u, lane);
  step(block, starts, place, far >> vec4u(16u), scale, k + 12u, lane);
}
