// Attention scores for software adapters of 4 lanes: y = scale q k^T per head, and -inf where a later token would be seen
// (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 128 queries times 4 SETS SG sources (lib/panel.wgsl). Where all rows share their
// keys (`batches` is 1), the queries of all rows are one long list.
//
// Queries and keys lie in textures.
//
// use lib/panel.wgsl
// use lib/sampled.wgsl
// use lib/scores-texels.wgsl
// use lib/grid.wgsl

// Its head and its queries; the first of its first four sources, and where the keys of all sets start.
struct Lane { lane: u32, batch: u32, rows: u32, query: u32, head: u32, source: u32, keys: array<vec4u, 4>, }

fn weights_at(at: Lane, which: u32, d: u32) -> Weights {
  let keys = at.keys[which];
  return Weights(
    four(keys, d + neighbours_of(at.lane, 0u)), four(keys, d + neighbours_of(at.lane, 1u)),
    four(keys, d + neighbours_of(at.lane, 2u)), four(keys, d + neighbours_of(at.lane, 3u)),
  );
}

fn start_of(at: Lane, i: u32) -> u32 { return start(at.rows, at.query + i, at.head); }

// Beyond the head's end queries are zero.
fn row_at(start: u32, d: u32, lane: u32) -> vec4f {
  let at = d + neighbours_of(lane, 0u);
  let query = texel(q, (start + within(at)) / 4u);
  if (!RAGGED) { return query; }
  return select(vec4f(), query, at < params.dim);
}

fn store_at(at: Lane, which: u32, i: u32, value: vec4f) {
  let source = at.source + 4u * SG * which;
  if (source < params.sources) { store(place(at.batch, at.query + i, at.head), clamped(source), value); }
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + PANEL_ROWS - 1u) / PANEL_ROWS;
  let source_tiles = (params.sources + panel_columns() - 1u) / panel_columns();
  let tile = linear_group(id, count);
  if (tile >= query_tiles * source_tiles * params.own_heads * params.batches) { return; }
  let query = PANEL_ROWS * (tile % query_tiles);
  let queries = min(PANEL_ROWS, params.queries - query);
  let source = panel_columns() * (tile / query_tiles % source_tiles) + 4u * lane;
  let head = tile / query_tiles / source_tiles % params.own_heads;
  let batch = tile / query_tiles / source_tiles / params.own_heads;
  let rows = row_of(batch, params.q_rows) * params.tokens;
  let row = row_of(batch, params.k_rows);
  let keys = array<vec4u, 4>(
    keys_of(row, clamped(source), head), keys_of(row, clamped(source + 4u * SG), head),
    keys_of(row, clamped(source + 8u * SG), head), keys_of(row, clamped(source + 12u * SG), head),
  );
  make_rows(Lane(lane, batch, rows, query, head, source, keys), queries, params.dim);
}
