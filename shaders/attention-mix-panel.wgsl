// Mixes the values by attention probability, for software adapters of 4 lanes: z = probs v per head, of more than 32 columns
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup is one subgroup and makes 64 queries times 16 SG columns of a head (lib/panel.wgsl). Where all rows share
// their values (`batches` is 1), the queries of all rows are one long list.
//
// use lib/panel.wgsl
// use lib/mix-frame.wgsl
// use lib/grid.wgsl

// Four neighbouring columns of 16 sources.
fn values_at(row: u32, head: u32, s: u32, column: u32) -> Weights {
  return Weights(
    four(row, head, s, column), four(row, head, s + 4u, column),
    four(row, head, s + 8u, column), four(row, head, s + 12u, column),
  );
}

fn block_at(row: u32, head: u32, s: u32, column: vec4u) -> Block {
  return Block(
    values_at(row, head, s, column.x), values_at(row, head, s, column.y),
    values_at(row, head, s, column.z), values_at(row, head, s, column.w),
  );
}

// A lane's probabilities of a query for 16 sources from s on. Beyond the last source they are zero.
fn query_at(start: u32, s: u32, lane: u32) -> vec4f {
  let at = vec4u(s + lane) + vec4u(0u, 4u, 8u, 12u);
  let mine = vec4u(start) + min(at, vec4u(params.sources - 1u));
  let query = vec4f(probs[mine.x], probs[mine.y], probs[mine.z], probs[mine.w]);
  return query * select(vec4f(), vec4f(1.0), at < vec4u(params.sources));
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + PANEL_ROWS - 1u) / PANEL_ROWS;
  let column_tiles = (params.dim + 16u * SG - 1u) / (16u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * column_tiles * params.own_heads * params.batches) { return; }
  let first = PANEL_ROWS * (tile % query_tiles);
  let queries = min(PANEL_ROWS, params.queries - first);
  let own = 16u * SG * (tile / query_tiles % column_tiles) + 4u * lane;
  let column = min(vec4u(own) + 4u * SG * vec4u(0u, 1u, 2u, 3u), vec4u(params.dim - 4u));
  let head = tile / query_tiles / column_tiles % params.own_heads;
  let batch = tile / query_tiles / column_tiles / params.own_heads;
  let rows = row_of(batch, params.p_rows) * params.tokens;
  let row = row_of(batch, params.v_rows);
  var totals = array<Sums, PANEL_ROWS>();
  for (var s = 0u; s < params.sources; s += PANEL) {
    let w0 = block_at(row, head, s, column);
    let w1 = block_at(row, head, s + 16u, column);
    let w2 = block_at(row, head, s + 32u, column);
    let w3 = block_at(row, head, s + 48u, column);
    for (var i = 0u; i < queries; i++) {
      let at = start(rows, first + i, head);
      var total = totals[i];
      add_block(&total, query_at(at, s, lane), w0);
      add_block(&total, query_at(at, s + 16u, lane), w1);
      add_block(&total, query_at(at, s + 32u, lane), w2);
      add_block(&total, query_at(at, s + 48u, lane), w3);
      totals[i] = total;
    }
  }
  for (var i = 0u; i < queries; i++) {
    let total = totals[i];
    store(batch, first + i, head, column.x, total.a);
    store(batch, first + i, head, column.y, total.b);
    store(batch, first + i, head, column.z, total.c);
    store(batch, first + i, head, column.w, total.d);
  }
}
