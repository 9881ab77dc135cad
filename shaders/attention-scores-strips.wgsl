// Attention scores for software adapters of 8 lanes: y = scale q k^T per head, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 12 queries times 8 SG sources, 3 queries at a time (lib/strip.wgsl). Where all
// rows share their keys (`batches` is 1), the queries of all rows are one long list.
//
// Queries and keys lie in textures.
//
// use lib/strip-rows.wgsl
// use lib/scores-texels.wgsl
// use lib/grid.wgsl

// Where a lane's texels of a strip start.
fn starts_of(first: u32, query: u32, head: u32, lane: u32) -> vec2u {
  return vec2u(start(first, query + pair_row(lane), head), start(first, query + STRIP - 1u, head)) / 4u;
}

fn weights(keys: vec4u, d: u32) -> Weights {
  return weights_of(four(keys, d), four(keys, d + 4u), four(keys, d + 8u), four(keys, d + 12u));
}

fn store_set(batch: u32, query: u32, head: u32, sources: vec4u, sums: mat4x3f) {
  let rows = transpose(sums);
  store(place(batch, query + 0u, head), sources, rows[0]);
  store(place(batch, query + 1u, head), sources, rows[1]);
  store(place(batch, query + 2u, head), sources, rows[2]);
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
      let starts = starts_of(first, query + STRIP * i, head, lane);
      add_strip(&totals[i], strip_block(rows_at(q, starts, d, params.dim, lane), a, b));
    }
  }
  for (var i = 0u; i < strips; i++) {
    store_set(batch, query + STRIP * i, head, sources_a, totals[i].a);
    store_set(batch, query + STRIP * i, head, sources_b, totals[i].b);
  }
}
