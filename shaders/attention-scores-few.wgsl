// Attention scores for software adapters, of single queries: y = scale q k^T per head, and -inf where a later token would be
// seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One invocation a score: a token that is alone, as in an answer, would leave most of a tile idle. The sum has the order of
// lib/strip.wgsl or lib/panel.wgsl (lib/few.wgsl): blocks of 16 elements and the total.
//
// use lib/few.wgsl
// use lib/scores-buffers.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

// A block of elements from d on. As dim is a multiple of 8, no four of them cross the head's end.
fn block_of(query: u32, key: u32, d: u32, source: u32) -> f32 {
  var sum = 0.0;
  for (var turn = 0u; turn < 4u; turn++) {
    let e = d + neighbours_at(source, turn);
    if (e >= params.dim) { continue; }
    let near = k[(key + e) / 4u];
    sum = fma(q[query + e], near.x, sum);
    sum = fma(q[query + e + 1u], near.y, sum);
    sum = fma(q[query + e + 2u], near.z, sum);
    sum = fma(q[query + e + 3u], near.w, sum);
  }
  return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  let source = i % params.sources;
  let query = i / params.sources % params.queries;
  let head = i / params.sources / params.queries % params.own_heads;
  let batch = i / params.sources / params.queries / params.own_heads;
  if (batch >= params.batches) { return; }
  let asking = start(row_of(batch, params.q_rows) * params.tokens, query, head);
  let key = memory_of(row_of(batch, params.k_rows), source, params.first_head + head);
  var total = 0.0;
  for (var d = 0u; d < params.dim; d += K_BLOCK) { total += block_of(asking, key, d, source); }
  let p = place(batch, query, head);
  let hidden = params.causal != 0u && source + params.tokens > p.token + params.sources;
  y[p.at + source] = select(total * params.scale, params.minus_infinity, hidden);
}
