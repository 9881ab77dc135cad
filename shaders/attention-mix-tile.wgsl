// Mixes the values by attention probability, for software adapters of 8 lanes: z = probs v per head
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup is one subgroup and makes 16 queries times 4 SG columns of a head (lib/tile.wgsl). Where all rows share
// their values (`batches` is 1), the queries of all rows are one long list.
//
// use lib/tile.wgsl
// use lib/mix-buffers.wgsl
// use lib/query-starts.wgsl
// use lib/grid.wgsl

// A lane's probability of each query. Beyond the last source they are zero.
fn rows_at(starts: Starts, s: u32) -> Rows {
  let mine = min(s, params.sources - 1u);
  let inside = select(0.0, 1.0, s < params.sources);
  let rows = Rows(
    vec4f(probs[starts.a.x + mine], probs[starts.a.y + mine], probs[starts.a.z + mine], probs[starts.a.w + mine]),
    vec4f(probs[starts.b.x + mine], probs[starts.b.y + mine], probs[starts.b.z + mine], probs[starts.b.w + mine]),
    vec4f(probs[starts.c.x + mine], probs[starts.c.y + mine], probs[starts.c.z + mine], probs[starts.c.w + mine]),
    vec4f(probs[starts.d.x + mine], probs[starts.d.y + mine], probs[starts.d.z + mine], probs[starts.d.w + mine]),
  );
  return Rows(rows.a * inside, rows.b * inside, rows.c * inside, rows.d * inside);
}

// SG sources from s on.
fn step(block: ptr<function, Tile>, starts: Starts, row: u32, head: u32, column: u32, s: u32, lane: u32) {
  let a = rows_at(starts, s + lane);
  let near = four(row, head, s, column);
  accumulate_0(block, a, near[0]);
  accumulate_1(block, a, near[1]);
  accumulate_2(block, a, near[2]);
  accumulate_3(block, a, near[3]);
  let far = four(row, head, s + 4u, column);
  accumulate_4(block, a, far[0]);
  accumulate_5(block, a, far[1]);
  accumulate_6(block, a, far[2]);
  accumulate_7(block, a, far[3]);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + ROWS - 1u) / ROWS;
  let column_tiles = (params.dim + 4u * SG - 1u) / (4u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * column_tiles * params.own_heads * params.batches) { return; }
  let query = ROWS * (tile % query_tiles);
  let column = min(4u * (tile / query_tiles % column_tiles * SG + lane), params.dim - 4u);
  let head = tile / query_tiles / column_tiles % params.own_heads;
  let batch = tile / query_tiles / column_tiles / params.own_heads;
  let first = row_of(batch, params.p_rows) * params.tokens;
  let memory_row = row_of(batch, params.v_rows);
  let starts = starts_of(first, query, head);
  var total = Tile();
  for (var k = 0u; k < params.sources; k += K_BLOCK) {
    var block = Tile();
    step(&block, starts, memory_row, head, column, k, lane);
    step(&block, starts, memory_row, head, column, k + SG, lane);
    add_block(&total, &block);
  }
  store(batch, query + 0u, head, column, total.r0);
  store(batch, query + 1u, head, column, total.r1);
  store(batch, query + 2u, head, column, total.r2);
  store(batch, query + 3u, head, column, total.r3);
  store(batch, query + 4u, head, column, total.r4);
  store(batch, query + 5u, head, column, total.r5);
  store(batch, query + 6u, head, column, total.r6);
  store(batch, query + 7u, head, column, total.r7);
  store(batch, query + 8u, head, column, total.r8);
  store(batch, query + 9u, head, column, total.r9);
  store(batch, query + 10u, head, column, total.r10);
  store(batch, query + 11u, head, column, total.r11);
  store(batch, query + 12u, head, column, total.r12);
  store(batch, query + 13u, head, column, total.r13);
  store(batch, query + 14u, head, column, total.r14);
  store(batch, query + 15u, head, column, total.r15);
}
