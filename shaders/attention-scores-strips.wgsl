// Attention scores for software adapters of 8 lanes, heads of more than 32 elements: y = scale q k^T per head with more than
// 32 sources, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 24 queries times 8 SG sources, 3 queries at a time (lib/strip.wgsl). Where all
// rows share their keys (`batches` is 1), the queries of all rows are one long list.
//
// use lib/strip.wgsl
// use lib/scores-buffers.wgsl
// use lib/grid.wgsl

const STRIPS = 8u;

fn starts_of(first: u32, query: u32, head: u32) -> vec3u {
  return vec3u(start(first, query, head), start(first, query + 1u, head), start(first, query + 2u, head));
}

// A lane's element of each query. Beyond the head's end the queries are zero.
fn rows_at(starts: vec3u, d: u32) -> vec3f {
  let at = starts + vec3u(within(d));
  let rows = vec3f(q[at.x], q[at.y], q[at.z]);
  if (!RAGGED) { return rows; }
  return rows * select(0.0, 1.0, d < params.dim);
}

fn weights(keys: vec4u, d: u32) -> Weights {
  return weights_of(four(keys, d), four(keys, d + 4u), four(keys, d + 8u), four(keys, d + 12u));
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
  if (tile >= query_tiles * source_tiles * params.own_heads * params.batches) { return; }
  let query = STRIPS * STRIP * (tile % query_tiles);
  let strips = strips_from(query, params.queries);
  let source = 8u * SG * (tile / query_tiles % source_tiles) + 4u * lane;
  let sources_a = clamped(source);
  let sources_b = clamped(source + 4u * SG);
  let head = tile / query_tiles / source_tiles % params.own_heads;
  let batch = tile / query_tiles / source_tiles / params.own_heads;
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
  }
}
