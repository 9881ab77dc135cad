// Mixes the values by attention probability, for software adapters of 4 lanes: z = probs v per head, of more than 32 columns
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup is one subgroup and makes 16 queries times 16 SG columns of a head (lib/wide-tile.wgsl). Where all rows share
// their values (`batches` is 1), the queries of all rows are one long list.
//
// use lib/wide-tile.wgsl
// use lib/mix-rows.wgsl
// use lib/grid.wgsl

fn step(block: ptr<function, Wide>, starts: Starts, row: u32, head: u32, column: vec4u, s: u32, lane: u32) {
  let a = four(row, head, s, column.x);
  let b = four(row, head, s, column.y);
  let c = four(row, head, s, column.z);
  let d = four(row, head, s, column.w);
  multiply_add(block, rows_at(starts, s + lane), WideColumns(a, b, c, d));
}

// Sixteen queries with one of a lane's sets of columns.
fn store_set(batch: u32, query: u32, head: u32, column: u32, t: Tile) {
  var rows = rows_of(t);
  for (var i = 0u; i < ROWS; i++) { store(batch, query + i, head, column, rows[i]); }
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + ROWS - 1u) / ROWS;
  let column_tiles = (params.dim + 16u * SG - 1u) / (16u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * column_tiles * params.own_heads * params.batches) { return; }
  let query = ROWS * (tile % query_tiles);
  let own = 16u * SG * (tile / query_tiles % column_tiles) + 4u * lane;
  let column = min(vec4u(own) + 4u * SG * vec4u(0u, 1u, 2u, 3u), vec4u(params.dim - 4u));
  let head = tile / query_tiles / column_tiles % params.own_heads;
  let batch = tile / query_tiles / column_tiles / params.own_heads;
  let starts = starts_of(row_of(batch, params.p_rows) * params.tokens, query, head);
  let row = row_of(batch, params.v_rows);
  var total = Wide();
  for (var s = 0u; s < params.sources; s += K_BLOCK) {
    var block = Wide();
    step(&block, starts, row, head, column, s, lane);
    step(&block, starts, row, head, column, s + 4u, lane);
    step(&block, starts, row, head, column, s + 8u, lane);
    step(&block, starts, row, head, column, s + 12u, lane);
    add_wide(&total, &block);
  }
  store_set(batch, query, head, column.x, total.a);
  store_set(batch, query, head, column.y, total.b);
  store_set(batch, query, head, column.z, total.c);
  store_set(batch, query, head, column.w, total.d);
}
