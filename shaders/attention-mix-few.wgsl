// Mixes the values by attention probability, for software adapters, of single queries: z = probs v per head
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One invocation makes four neighbouring columns: a token that is alone, as in an answer, would leave most of a tile idle.
// The sum has the order of lib/strip.wgsl or lib/panel.wgsl (lib/few.wgsl): blocks of 16 sources and the total.
//
// use lib/few.wgsl
// use lib/mix-buffers.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

fn block_of(weights: u32, row: u32, head: u32, column: u32, s: u32) -> vec4f {
  var sum = vec4f();
  for (var turn = 0u; turn < 4u; turn++) {
    let first = s + neighbours_at(column, turn);
    for (var i = first; i < min(first + 4u, params.sources); i++) {
      sum = fma(vec4f(probs[weights + i]), columns(row, head, i, column), sum);
    }
  }
  return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  let fourths = params.dim / 4u;
  let column = 4u * (i % fourths);
  let query = i / fourths % params.queries;
  let head = i / fourths / params.queries % params.own_heads;
  let batch = i / fourths / params.queries / params.own_heads;
  if (batch >= params.batches) { return; }
  let weights = start(row_of(batch, params.p_rows) * params.tokens, query, head);
  let row = row_of(batch, params.v_rows);
  var total = vec4f();
  for (var s = 0u; s < params.sources; s += K_BLOCK) { total += block_of(weights, row, head, column, s); }
  store(batch, query, head, column, total);
}
