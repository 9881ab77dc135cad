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

// One query with the sources of a lane's four sets, the first from `source` on.
fn store_row(p: Place, source: u32, a: vec4f, b: vec4f, c: vec4f, d: vec4f) {
  store(p, clamped(source), a);
  store(p, clamped(source + 4u * SG), b);
  store(p, clamped(source + 8u * SG), c);
  store(p, clamped(source + 12u * SG), d);
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
  store_row(place(batch, query + 0u, head), source, total.a.r0, total.b.r0, total.c.r0, total.d.r0);
  store_row(place(batch, query + 1u, head), source, total.a.r1, total.b.r1, total.c.r1, total.d.r1);
  store_row(place(batch, query + 2u, head), source, total.a.r2, total.b.r2, total.c.r2, total.d.r2);
  store_row(place(batch, query + 3u, head), source, total.a.r3, total.b.r3, total.c.r3, total.d.r3);
  store_row(place(batch, query + 4u, head), source, total.a.r4, total.b.r4, total.c.r4, total.d.r4);
  store_row(place(batch, query + 5u, head), source, total.a.r5, total.b.r5, total.c.r5, total.d.r5);
  store_row(place(batch, query + 6u, head), source, total.a.r6, total.b.r6, total.c.r6, total.d.r6);
  store_row(place(batch, query + 7u, head), source, total.a.r7, total.b.r7, total.c.r7, total.d.r7);
  store_row(place(batch, query + 8u, head), source, total.a.r8, total.b.r8, total.c.r8, total.d.r8);
  store_row(place(batch, query + 9u, head), source, total.a.r9, total.b.r9, total.c.r9, total.d.r9);
  store_row(place(batch, query + 10u, head), source, total.a.r10, total.b.r10, total.c.r10, total.d.r10);
  store_row(place(batch, query + 11u, head), source, total.a.r11, total.b.r11, total.c.r11, total.d.r11);
  store_row(place(batch, query + 12u, head), source, total.a.r12, total.b.r12, total.c.r12, total.d.r12);
  store_row(place(batch, query + 13u, head), source, total.a.r13, total.b.r13, total.c.r13, total.d.r13);
  store_row(place(batch, query + 14u, head), source, total.a.r14, total.b.r14, total.c.r14, total.d.r14);
  store_row(place(batch, query + 15u, head), source, total.a.r15, total.b.r15, total.c.r15, total.d.r15);
}
