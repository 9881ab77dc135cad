// Attention scores for software adapters of 4 lanes, heads of more than 32 elements: y = scale q k^T per head with more than
// 32 sources, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 16 queries times 16 SG sources (lib/wide-tile.wgsl). Where all rows share their
// keys (`batches` is 1), the queries of all rows are one long list.
//
// use lib/wide-tile.wgsl
// use lib/scores-rows.wgsl
// use lib/grid.wgsl

// Where the keys of a lane's four sets of sources start.
struct Keys { a: vec4u, b: vec4u, c: vec4u, d: vec4u, }

fn step(block: ptr<function, Wide>, starts: Starts, keys: Keys, d: u32, lane: u32) {
  multiply_add(block, rows_at(starts, d + lane), WideColumns(four(keys.a, d), four(keys.b, d), four(keys.c, d), four(keys.d, d)));
}

// Sixteen queries with one of a lane's sets of sources. Written out these stores would compile for half a second.
fn store_set(batch: u32, query: u32, head: u32, sources: vec4u, t: Tile) {
  var rows = rows_of(t);
  for (var i = 0u; i < ROWS; i++) { store(place(batch, query + i, head), sources, rows[i]); }
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + ROWS - 1u) / ROWS;
  let source_tiles = (params.sources + 16u * SG - 1u) / (16u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * source_tiles * params.own_heads * params.batches) { return; }
  let query = ROWS * (tile % query_tiles);
  let source = 16u * SG * (tile / query_tiles % source_tiles) + 4u * lane;
  let head = tile / query_tiles / source_tiles % params.own_heads;
  let batch = tile / query_tiles / source_tiles / params.own_heads;
  let starts = starts_of(row_of(batch, params.q_rows) * params.tokens, query, head);
  let own = row_of(batch, params.k_rows);
  let keys = Keys(
    keys_of(own, clamped(source), head), keys_of(own, clamped(source + 4u * SG), head),
    keys_of(own, clamped(source + 8u * SG), head), keys_of(own, clamped(source + 12u * SG), head),
  );
  var total = Wide();
  for (var d = 0u; d < params.dim; d += K_BLOCK) {
    var block = Wide();
    step(&block, starts, keys, d, lane);
    step(&block, starts, keys, d + 4u, lane);
    step(&block, starts, keys, d + 8u, lane);
    step(&block, starts, keys, d + 12u, lane);
    add_wide(&total, &block);
  }
  store_set(batch, query, head, clamped(source), total.a);
  store_set(batch, query, head, clamped(source + 4u * SG), total.b);
  store_set(batch, query, head, clamped(source + 8u * SG), total.c);
  store_set(batch, query, head, clamped(source + 12u * SG), total.d);
}
