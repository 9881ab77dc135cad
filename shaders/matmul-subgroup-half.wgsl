// Matrix product with bias for software adapters: y = x W^T + b, weights in float16, two inputs to a word
//
//   x [vectors, K]   W [N, K] as a texture (weight-texture.wgsl)   b [N]   y [vectors, N]
//
// One workgroup is one subgroup and makes 12 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/grid.wgsl
// use lib/half.wgsl

override SG: u32;
override K: u32;
override BIAS: bool;

struct Params { vectors: u32, n: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn even(w: vec4u) -> vec4f {
  return vec4f(open_half(w.x).x, open_half(w.y).x, open_half(w.z).x, open_half(w.w).x);
}

fn odd(w: vec4u) -> vec4f {
  return vec4f(open_half(w.x).y, open_half(w.y).y, open_half(w.z).y, open_half(w.w).y);
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
      let w0 = textureLoad(weight, vec2u(texel, min(k / 2u + 0u, K / 2u - 1u)), 0);
      accumulate(&block, from_lane_0(a), even(w0));
      accumulate(&block, from_lane_1(a), odd(w0));
      let w2 = textureLoad(weight, vec2u(texel, min(k / 2u + 1u, K / 2u - 1u)), 0);
      accumulate(&block, from_lane_2(a), even(w2));
      accumulate(&block, from_lane_3(a), odd(w2));
      if (SG > 4u) {
        let w4 = textureLoad(weight, vec2u(texel, min(k / 2u + 2u, K / 2u - 1u)), 0);
        accumulate(&block, from_lane_4(a), even(w4));
        accumulate(&block, from_lane_5(a), odd(w4));
        let w6 = textureLoad(weight, vec2u(texel, min(k / 2u + 3u, K / 2u - 1u)), 0);
        accumulate(&block, from_lane_6(a), even(w6));
        accumulate(&block, from_lane_7(a), odd(w6));
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
