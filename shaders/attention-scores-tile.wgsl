// Attention scores for software adapters of 8 lanes: y = scale q k^T per head, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 16 queries times 4 SG sources (lib/tile.wgsl). Where all rows share their
// keys (`batches` is 1), the queries of all rows are one long list.
//
// use lib/tile.wgsl
// use lib/scores-buffers.wgsl
// use lib/query-starts.wgsl
// use lib/grid.wgsl

// A lane's element of each query. Beyond the head's end the queries are zero.
fn rows_at(starts: Starts, d: u32) -> Rows {
  let mine = within(d);
  let rows = Rows(
    vec4f(q[starts.a.x + mine], q[starts.a.y + mine], q[starts.a.z + mine], q[starts.a.w + mine]),
    vec4f(q[starts.b.x + mine], q[starts.b.y + mine], q[starts.b.z + mine], q[starts.b.w + mine]),
    vec4f(q[starts.c.x + mine], q[starts.c.y + mine], q[starts.c.z + mine], q[starts.c.w + mine]),
    vec4f(q[starts.d.x + mine], q[starts.d.y + mine], q[starts.d.z + mine], q[starts.d.w + mine]),
  );
  if (!RAGGED) { return rows; }
  let inside = select(0.0, 1.0, d < params.dim);
  return Rows(rows.a * inside, rows.b * inside, rows.c * inside, rows.d * inside);
}

// SG elements of a head from d on.
fn step(block: ptr<function, Tile>, starts: Starts, keys: vec4u, d: u32, lane: u32) {
  let a = rows_at(starts, d + lane);
  let near = four(keys, d);
  accumulate_0(block, a, near[0]);
  accumulate_1(block, a, near[1]);
  accumulate_2(block, a, near[2]);
  accumulate_3(block, a, near[3]);
  let far = four(keys, d + 4u);
  accumulate_4(block, a, far[0]);
  accumulate_5(block, a, far[1]);
  accumulate_6(block, a, far[2]);
  accumulate_7(block, a, far[3]);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + ROWS - 1u) / ROWS;
  let source_tiles = (params.sources + 4u * SG - 1u) / (4u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * source_tiles * params.own_heads * params.batches) { return; }
  let query = ROWS * (tile % query_tiles);
  let sources = clamped(4u * (tile / query_tiles % source_tiles * SG + lane));
  let head = tile / query_tiles / source_tiles % params.own_heads;
  let batch = tile / query_tiles / source_tiles / params.own_heads;
  let first = row_of(batch, params.q_rows) * params.tokens;
  let own = row_of(batch, params.k_rows);
  let keys = keys_of(own, sources, head);
  let starts = starts_of(first, query, head);
  var total = Tile();
  for (var k = 0u; k < params.dim; k += K_BLOCK) {
    var block = Tile();
    step(&block, starts, keys, k, lane);
    step(&block, starts, keys, k + SG, lane);
    add_block(&total, &block);
  }
  store(place(batch, query + 0u, head), sources, total.r0);
  store(place(batch, query + 1u, head), sources, total.r1);
  store(place(batch, query + 2u, head), sources, total.r2);
  store(place(batch, query + 3u, head), sources, total.r3);
  store(place(batch, query + 4u, head), sources, total.r4);
  store(place(batch, query + 5u, head), sources, total.r5);
  store(place(batch, query + 6u, head), sources, total.r6);
  store(place(batch, query + 7u, head), sources, total.r7);
  store(place(batch, query + 8u, head), sources, total.r8);
  store(place(batch, query + 9u, head), sources, total.r9);
  store(place(batch, query + 10u, head), sources, total.r10);
  store(place(batch, query + 11u, head), sources, total.r11);
  store(place(batch, query + 12u, head), sources, total.r12);
  store(place(batch, query + 13u, head), sources, total.r13);
  store(place(batch, query + 14u, head), sources, total.r14);
  store(place(batch, query + 15u, head), sources, total.r15);
}
