// Mixes the values by attention probability, for software adapters of 4 lanes: z = probs v per head
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup is one subgroup and makes 128 queries times 4 SETS SG columns of a head (lib/panel.wgsl). Where all rows share
// their values (`batches` is 1), the queries of all rows are one long list.
//
// Values lie in a texture.
//
// use lib/panel.wgsl
// use lib/sampled.wgsl
// use lib/mix-texels.wgsl
// use lib/grid.wgsl

// Its head, its row of values and its queries; the first column of its first set.
struct Lane { lane: u32, batch: u32, rows: u32, query: u32, head: u32, row: u32, column: u32, }

fn weights_at(at: Lane, which: u32, s: u32) -> Weights {
  let column = min(at.column + 4u * SG * which, params.dim - 4u);
  return Weights(
    four(at.row, at.head, s + neighbours_of(at.lane, 0u), column), four(at.row, at.head, s + neighbours_of(at.lane, 1u), column),
    four(at.row, at.head, s + neighbours_of(at.lane, 2u), column), four(at.row, at.head, s + neighbours_of(at.lane, 3u), column),
  );
}

fn start_of(at: Lane, i: u32) -> u32 { return start(at.rows, at.query + i, at.head); }

// Beyond the last source probabilities are zero.
fn row_at(start: u32, s: u32, lane: u32) -> vec4f {
  let at = vec4u(s + neighbours_of(lane, 0u)) + vec4u(0u, 1u, 2u, 3u);
  let mine = vec4u(start) + min(at, vec4u(params.sources - 1u));
  let row = vec4f(probs[mine.x], probs[mine.y], probs[mine.z], probs[mine.w]);
  return row * select(vec4f(), vec4f(1.0), at < vec4u(params.sources));
}

fn store_at(at: Lane, which: u32, i: u32, value: vec4f) {
  let column = at.column + 4u * SG * which;
  if (column < params.dim) { store(at.batch, at.query + i, at.head, column, value); }
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + PANEL_ROWS - 1u) / PANEL_ROWS;
  let column_tiles = (params.dim + panel_columns() - 1u) / panel_columns();
  let tile = linear_group(id, count);
  if (tile >= query_tiles * column_tiles * params.own_heads * params.batches) { return; }
  let query = PANEL_ROWS * (tile % query_tiles);
  let queries = min(PANEL_ROWS, params.queries - query);
  let column = panel_columns() * (tile / query_tiles % column_tiles) + 4u * lane;
  let head = tile / query_tiles / column_tiles % params.own_heads;
  let batch = tile / query_tiles / column_tiles / params.own_heads;
  let rows = row_of(batch, params.p_rows) * params.tokens;
  make_rows(Lane(lane, batch, rows, query, head, row_of(batch, params.v_rows), column), queries, params.sources);
}
