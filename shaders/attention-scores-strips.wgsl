// Attention scores for software adapters of 8 lanes, heads of more than 32 elements: y = scale q k^T per head with more than
// 32 sources, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 24 queries times 8 SG sources, 4 queries at a time (lib/strip.wgsl). Where all
// rows share their keys (`batches` is 1), the queries of all rows are one long list.
//
// use lib/strip.wgsl
// use lib/scores-frame.wgsl
// use lib/grid.wgsl

override SG: u32;
override RAGGED: bool;

struct Params {
  q_rows: u32, k_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn starts_of(first: u32, query: u32, head: u32) -> vec4u {
  return vec4u(start(first, query, head), start(first, query + 1u, head), start(first, query + 2u, head), start(first, query + 3u, head));
}

// A lane's element of each query. Beyond the head's end the queries are zero.
fn rows_at(starts: vec4u, d: u32) -> vec4f {
  let at = starts + vec4u(within(d));
  let rows = vec4f(q[at.x], q[at.y], q[at.z], q[at.w]);
  if (!RAGGED) { return rows; }
  return rows * select(0.0, 1.0, d < params.dim);
}

// Four elements of four neighbouring sources, element after element; beyond the head's end they meet a zero.
fn four(at: vec4u, d: u32) -> mat4x4f {
  let e = vec4u(within(d)) + at;
  return transpose(mat4x4f(k[e.x / 4u], k[e.y / 4u], k[e.z / 4u], k[e.w / 4u]));
}

fn weights(keys: vec4u, d: u32) -> Weights {
  let p = four(keys, d + 0u);
  let q = four(keys, d + 4u);
  let r = four(keys, d + 8u);
  let s = four(keys, d + 12u);
  return Weights(p[0], p[1], p[2], p[3], q[0], q[1], q[2], q[3], r[0], r[1], r[2], r[3], s[0], s[1], s[2], s[3]);
}

fn store_row(p: Place, sources_a: vec4u, sources_b: vec4u, a: vec4f, b: vec4f) {
  store(p, sources_a, a);
  store(p, sources_b, b);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + STRIPS * STRIP - 1u) / (STRIPS * STRIP);
  let source_tiles = (params.sources + 8u * SG - 1u) / (8u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * source_tiles * params.heads * params.batches) { return; }
  let query = STRIPS * STRIP * (tile % query_tiles);
  let strips = strips_from(query, params.queries);
  let source = 8u * SG * (tile / query_tiles % source_tiles) + 4u * lane;
  let sources_a = clamped(source);
  let sources_b = clamped(source + 4u * SG);
  let head = tile / query_tiles / source_tiles % params.heads;
  let batch = tile / query_tiles / source_tiles / params.heads;
  let first = row_of(batch, params.q_rows) * params.tokens;
  let own = row_of(batch, params.k_rows);
  let keys_a = keys_of(own, sources_a, head);
  let keys_b = keys_of(own, sources_b, head);
  var totals = array<Strip, STRIPS>();
  for (var d = 0u; d < params.dim; d += K_BLOCK) {
    let a = weights(keys_a, d);
    let b = weights(keys_b, d);
    for (var i = 0u; i < strips; i++) {
      let starts = starts_of(first, query + STRIP * i, head);
      add_strip(&totals[i], strip_block(rows_at(starts, d + lane), rows_at(starts, d + lane + 8u), a, b));
    }
  }
  for (var i = 0u; i < strips; i++) {
    let s = totals[i];
    store_row(place(batch, query + STRIP * i + 0u, head), sources_a, sources_b, s.a0, s.b0);
    store_row(place(batch, query + STRIP * i + 1u, head), sources_a, sources_b, s.a1, s.b1);
    store_row(place(batch, query + STRIP * i + 2u, head), sources_a, sources_b, s.a2, s.b2);
    store_row(place(batch, query + STRIP * i + 3u, head), sources_a, sources_b, s.a3, s.b3);
  }
}
