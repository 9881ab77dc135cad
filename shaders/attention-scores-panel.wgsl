// Attention scores for software adapters of 4 lanes: y = scale q k^T per head, and -inf where a later token would be seen
// (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 64 queries times 4 SETS SG sources (lib/panel.wgsl). Where all rows share their
// keys (`batches` is 1), the queries of all rows are one long list.
//
// use lib/panel.wgsl
// use lib/scores-frame.wgsl
// use lib/grid.wgsl

// Where the keys of a lane's four sets of sources start; its head and its queries.
struct Lane { lane: u32, rows: u32, query: u32, head: u32, keys: array<vec4u, 4>, }

fn weights_at(at: Lane, which: u32, d: u32) -> Weights {
  let keys = at.keys[which];
  return Weights(four(keys, d), four(keys, d + 4u), four(keys, d + 8u), four(keys, d + 12u));
}

fn start_of(at: Lane, i: u32) -> u32 { return start(at.rows, at.query + i, at.head); }

// Beyond the head's end queries are zero.
fn row_at(start: u32, d: u32, lane: u32) -> vec4f {
  let at = vec4u(d + lane) + vec4u(0u, 4u, 8u, 12u);
  let query = vec4f(q[start + within(at.x)], q[start + within(at.y)], q[start + within(at.z)], q[start + within(at.w)]);
  if (!RAGGED) { return query; }
  return query * select(vec4f(), vec4f(1.0), at < vec4u(params.dim));
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
  let a = clamped(source);
  let b = clamped(source + 4u * SG);
  let c = clamped(source + 8u * SG);
  let d = clamped(source + 12u * SG);
  let keys = array<vec4u, 4>(keys_of(row, a, head), keys_of(row, b, head), keys_of(row, c, head), keys_of(row, d, head));
  var totals = array<Sums, PANEL_ROWS>();
  add_panels(&totals, Lane(lane, rows, query, head, keys), queries, params.dim);
  for (var i = 0u; i < queries; i++) {
    let total = totals[i];
    let p = place(batch, query + i, head);
    store(p, a, total.a);
    if (SETS > 1u) { store(p, b, total.b); }
    if (SETS > 2u) {
      store(p, c, total.c);
      store(p, d, total.d);
    }
  }
}
