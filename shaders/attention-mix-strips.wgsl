// Mixes the values by attention probability, for software adapters of 8 lanes: z = probs v per head, of more than 32 columns
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup is one subgroup and makes 24 queries times 8 SG columns of a head, 3 queries at a time (lib/strip.wgsl).
// Where all rows share their values (`batches` is 1), the queries of all rows are one long list.
//
// use lib/strip.wgsl
// use lib/mix-buffers.wgsl
// use lib/grid.wgsl

const STRIPS = 8u;

fn starts_of(first: u32, query: u32, head: u32) -> vec3u {
  return vec3u(start(first, query, head), start(first, query + 1u, head), start(first, query + 2u, head));
}

// A lane's probability of each query. Beyond the last source they are zero.
fn rows_at(starts: vec3u, s: u32) -> vec3f {
  let at = starts + vec3u(min(s, params.sources - 1u));
  return vec3f(probs[at.x], probs[at.y], probs[at.z]) * select(0.0, 1.0, s < params.sources);
}

fn weights(row: u32, head: u32, s: u32, column: u32) -> Weights {
  return weights_of(
    four(row, head, s, column), four(row, head, s + 4u, column), four(row, head, s + 8u, column), four(row, head, s + 12u, column),
  );
}

fn store_set(batch: u32, query: u32, head: u32, column: u32, s0: vec4f, s1: vec4f, s2: vec4f) {
  store(batch, query + 0u, head, column, s0);
  store(batch, query + 1u, head, column, s1);
  store(batch, query + 2u, head, column, s2);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + STRIPS * STRIP - 1u) / (STRIPS * STRIP);
  let column_tiles = (params.dim + 8u * SG - 1u) / (8u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * column_tiles * params.own_heads * params.batches) { return; }
  let query = STRIPS * STRIP * (tile % query_tiles);
  let strips = strips_from(query, params.queries);
  let column = 8u * SG * (tile / query_tiles % column_tiles) + 4u * lane;
  let column_a = min(column, params.dim - 4u);
  let column_b = min(column + 4u * SG, params.dim - 4u);
  let head = tile / query_tiles / column_tiles % params.own_heads;
  let batch = tile / query_tiles / column_tiles / params.own_heads;
  let first = row_of(batch, params.p_rows) * params.tokens;
  let row = row_of(batch, params.v_rows);
  var totals = array<Strip, STRIPS>();
  for (var source = 0u; source < params.sources; source += K_BLOCK) {
    let a = weights(row, head, source, column_a);
    let b = weights(row, head, source, column_b);
    for (var i = 0u; i < strips; i++) {
      let starts = starts_of(first, query + STRIP * i, head);
      add_strip(&totals[i], strip_block(rows_at(starts, source + lane), rows_at(starts, source + lane + 8u), a, b));
    }
  }
  for (var i = 0u; i < strips; i++) {
    let s = totals[i];
    store_set(batch, query + STRIP * i, head, column_a, s.a0, s.a1, s.a2);
    store_set(batch, query + STRIP * i, head, column_b, s.b0, s.b1, s.b2);
  }
}
