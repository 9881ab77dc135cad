// Matrix product with bias for software adapters: y = x W^T + b, weights in float32
//
//   x [vectors, K]   W [N, K] as a texture (weight-texture.wgsl)   b [N]   y [vectors, N]
//
// One workgroup is one subgroup and makes 12 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/grid.wgsl

override SG: u32;
override K: u32;
override BIAS: bool;

struct Params { vectors: u32, n: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The weights of four neighbouring outputs for input k; beyond K they meet a zero.
fn columns(texel: u32, k: u32) -> vec4f {
  return bitcast<vec4f>(textureLoad(weight, vec2u(texel, min(k, K - 1u)), 0));
}

fn value(row: u32, k: u32) -> f32 {
  return x[min(row, params.vectors - 1u) * K + k];
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + 11u) / 12u;
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + SG - 1u) / SG)) { return; }
  let row = 12u * (tile % row_tiles);
  let own = tile / row_tiles * SG + lane;
  let texel = min(own, texels - 1u);
  var total = Tile();
  for (var start = 0u; start < K; start += K_BLOCK) {
    var block = Tile();
    for (var k = start; k < min(start + K_BLOCK, K); k += SG) {
      let mine = min(k + lane, K - 1u);
      let inside = select(0.0, 1.0, k + lane < K);
      var a = Rows(
        vec4f(value(row + 0u, mine), value(row + 1u, mine), value(row + 2u, mine), value(row + 3u, mine)),
        vec4f(value(row + 4u, mine), value(row + 5u, mine), value(row + 6u, mine), value(row + 7u, mine)),
        vec4f(value(row + 8u, mine), value(row + 9u, mine), value(row + 10u, mine), value(row + 11u, mine)),
      );
      if (K % SG != 0u) { a = Rows(a.a * inside, a.b * inside, a.c * inside); }
      accumulate(&block, from_lane_0(a), columns(texel, k + 0u));
      accumulate(&block, from_lane_1(a), columns(texel, k + 1u));
      accumulate(&block, from_lane_2(a), columns(texel, k + 2u));
      accumulate(&block, from_lane_3(a), columns(texel, k + 3u));
      if (SG > 4u) {
        accumulate(&block, from_lane_4(a), columns(texel, k + 4u));
        accumulate(&block, from_lane_5(a), columns(texel, k + 5u));
        accumulate(&block, from_lane_6(a), columns(texel, k + 6u));
        accumulate(&block, from_lane_7(a), columns(texel, k + 7u));
      }
    }
    add_block(&total, &block);
  }
  if (own >= texels) { return; }
  let first = 4u * own;
  var b = vec4f();
  if (BIAS) {
    for (var j = 0u; j < min(4u, params.n - first); j++) { b[j] = bias[first + j]; }
  }
  for (var r = 0u; r < min(12u, params.vectors - row); r++) {
    let value = tile_row(&total, r) + b;
    let at = (row + r) * params.n + first;
    for (var j = 0u; j < min(4u, params.n - first); j++) { y[at + j] = value[j]; }
  }
}
