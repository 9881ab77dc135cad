// Mixes the values by attention probability, for software adapters of 8 lanes: z = probs v per head
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup is one subgroup and makes 12 queries times 8 SG columns of a head, 3 queries at a time (lib/strip.wgsl).
// Where all rows share their values (`batches` is 1), the queries of all rows are one long list.
//
// Values lie in a texture.
//
// use lib/strip.wgsl
// use lib/stored.wgsl
// use lib/mix-texels.wgsl
// use lib/grid.wgsl

// Where a lane's rows of a strip start.
fn starts_of(first: u32, query: u32, head: u32, lane: u32) -> vec2u {
  return vec2u(start(first, query + pair_row(lane), head), start(first, query + STRIP - 1u, head));
}

// Beyond the last source probabilities are zero.
fn rows_at(starts: vec2u, s: u32, lane: u32) -> Rows {
  let at = vec4u(s + 4u * four_of(lane)) + vec4u(0u, 1u, 2u, 3u);
  let own = min(at, vec4u(params.sources - 1u));
  let there = select(vec4f(), vec4f(1.0), at < vec4u(params.sources));
  return Rows(four_probs(vec4u(starts.x) + own) * there, four_probs(vec4u(starts.y) + own) * there);
}

fn four_probs(at: vec4u) -> vec4f { return vec4f(probs[at.x], probs[at.y], probs[at.z], probs[at.w]); }

fn weights(row: u32, head: u32, s: u32, column: u32) -> Weights {
  return weights_of(
    four(row, head, s, column), four(row, head, s + 4u, column), four(row, head, s + 8u, column), four(row, head, s + 12u, column),
  );
}

fn store_set(batch: u32, query: u32, head: u32, column: u32, sums: mat4x3f) {
  let rows = transpose(sums);
  store(batch, query + 0u, head, column, rows[0]);
  store(batch, query + 1u, head, column, rows[1]);
  store(batch, query + 2u, head, column, rows[2]);
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
  var starts = array<vec2u, STRIPS>();
  for (var i = 0u; i < STRIPS; i++) { starts[i] = starts_of(first, query + STRIP * i, head, lane); }
  var totals = array<Strip, STRIPS>();
  for (var source = 0u; source < params.sources; source += K_BLOCK) {
    let a = weights(row, head, source, column_a);
    let b = weights(row, head, source, column_b);
    for (var i = 0u; i < strips; i++) {
      add_strip(&totals[i], strip_block(rows_at(starts[i], source, lane), a, b));
    }
  }
  for (var i = 0u; i < strips; i++) {
    store_set(batch, query + STRIP * i, head, column_a, totals[i].a);
    store_set(batch, query + STRIP * i, head, column_b, totals[i].b);
  }
}
