// Attention scores for software adapters: y = scale q k^T per head, and -inf where a later token would be seen (CAUSAL)
//
//   q [q_rows, tokens, HEADS, DIM]   k [k_rows, sources, HEADS, DIM]   y [rows, HEADS, tokens, sources]
//
// One workgroup is one subgroup and makes 12 queries times 4 SG sources (lib/tile.wgsl). Where all rows share their
// keys (`batches` is 1), the queries of all rows are one long list.
//
// use lib/tile.wgsl
// use lib/grid.wgsl

override SG: u32;
override HEADS: u32;
override DIM: u32;
override CAUSAL: bool;

struct Params {
  q_rows: u32, k_rows: u32, tokens: u32, sources: u32, batches: u32, queries: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn value(first: u32, query: u32, head: u32, d: u32) -> f32 {
  return q[((first + min(query, params.queries - 1u)) * HEADS + head) * DIM + d];
}

fn columns(at: vec4u, d: u32) -> vec4f {
  return vec4f(k[at.x + d], k[at.y + d], k[at.z + d], k[at.w + d]);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + 11u) / 12u;
  let source_tiles = (params.sources + 4u * SG - 1u) / (4u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * source_tiles * HEADS * params.batches) { return; }
  let query = 12u * (tile % query_tiles);
  let source = 4u * (tile / query_tiles % source_tiles * SG + lane);
  let head = tile / query_tiles / source_tiles % HEADS;
  let batch = tile / query_tiles / source_tiles / HEADS;
  let first = row_of(batch, params.q_rows) * params.tokens;
  let sources = min(vec4u(source) + vec4u(0u, 1u, 2u, 3u), vec4u(params.sources - 1u));
  let keys = ((row_of(batch, params.k_rows) * params.sources + sources) * HEADS + head) * DIM;
  var total = Tile();
  for (var start = 0u; start < DIM; start += K_BLOCK) {
    var block = Tile();
    for (var d = start; d < min(start + K_BLOCK, DIM); d += SG) {
      let a = Rows(
        vec4f(value(first, query + 0u, head, d + lane), value(first, query + 1u, head, d + lane), value(first, query + 2u, head, d + lane), value(first, query + 3u, head, d + lane)),
        vec4f(value(first, query + 4u, head, d + lane), value(first, query + 5u, head, d + lane), value(first, query + 6u, head, d + lane), value(first, query + 7u, head, d + lane)),
        vec4f(value(first, query + 8u, head, d + lane), value(first, query + 9u, head, d + lane), value(first, query + 10u, head, d + lane), value(first, query + 11u, head, d + lane)),
      );
      accumulate(&block, from_lane_0(a), columns(keys, d + 0u));
      accumulate(&block, from_lane_1(a), columns(keys, d + 1u));
      accumulate(&block, from_lane_2(a), columns(keys, d + 2u));
      accumulate(&block, from_lane_3(a), columns(keys, d + 3u));
      if (SG > 4u) {
        accumulate(&block, from_lane_4(a), columns(keys, d + 4u));
        accumulate(&block, from_lane_5(a), columns(keys, d + 5u));
        accumulate(&block, from_lane_6(a), columns(keys, d + 6u));
        accumulate(&block, from_lane_7(a), columns(keys, d + 7u));
      }
    }
    add_block(&total, &block);
  }
  for (var i = 0u; i < min(12u, params.queries - query); i++) {
    let flat = batch * params.tokens + query + i;
    let token = flat % params.tokens;
    let at = (flat / params.tokens * HEADS + head) * params.tokens + token;
    let value = tile_row(&total, i) * params.scale;
    for (var j = 0u; j < 4u; j++) {
      if (source + j >= params.sources) { break; }
      let hidden = CAUSAL && source + j + params.tokens > token + params.sources;
      y[at * params.sources + source + j] = select(value[j], params.minus_infinity, hidden);
    }
  }
}
