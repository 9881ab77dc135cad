// Attention scores for software adapters of 4 lanes, heads of more than 32 elements: y = scale q k^T per head with more than
// 32 sources, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 64 queries times 16 SG sources (lib/panel.wgsl). Where all rows share their
// keys (`batches` is 1), the queries of all rows are one long list.
//
// use lib/panel.wgsl
// use lib/scores-frame.wgsl
// use lib/grid.wgsl

// Where the keys of a lane's four sets of sources start.
struct Keys { a: vec4u, b: vec4u, c: vec4u, d: vec4u, }

fn keys_at(at: vec4u, d: u32) -> Weights {
  return Weights(four(at, d), four(at, d + 4u), four(at, d + 8u), four(at, d + 12u));
}

fn block_at(keys: Keys, d: u32) -> Block {
  return Block(keys_at(keys.a, d), keys_at(keys.b, d), keys_at(keys.c, d), keys_at(keys.d, d));
}

// A lane's values of a query for 16 elements from d on. Beyond the head's end they are zero.
fn query_at(start: u32, d: u32, lane: u32) -> vec4f {
  let at = vec4u(d + lane) + vec4u(0u, 4u, 8u, 12u);
  let query = vec4f(q[start + within(at.x)], q[start + within(at.y)], q[start + within(at.z)], q[start + within(at.w)]);
  if (!RAGGED) { return query; }
  return query * select(vec4f(), vec4f(1.0), at < vec4u(params.dim));
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + PANEL_ROWS - 1u) / PANEL_ROWS;
  let source_tiles = (params.sources + 16u * SG - 1u) / (16u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * source_tiles * params.own_heads * params.batches) { return; }
  let first = PANEL_ROWS * (tile % query_tiles);
  let queries = min(PANEL_ROWS, params.queries - first);
  let source = 16u * SG * (tile / query_tiles % source_tiles) + 4u * lane;
  let head = tile / query_tiles / source_tiles % params.own_heads;
  let batch = tile / query_tiles / source_tiles / params.own_heads;
  let rows = row_of(batch, params.q_rows) * params.tokens;
  let own = row_of(batch, params.k_rows);
  let a = clamped(source);
  let b = clamped(source + 4u * SG);
  let c = clamped(source + 8u * SG);
  let d = clamped(source + 12u * SG);
  let keys = Keys(keys_of(own, a, head), keys_of(own, b, head), keys_of(own, c, head), keys_of(own, d, head));
  var totals = array<Sums, PANEL_ROWS>();
  for (var e = 0u; e < params.dim; e += PANEL) {
    let w0 = block_at(keys, e);
    let w1 = block_at(keys, e + 16u);
    let w2 = block_at(keys, e + 32u);
    let w3 = block_at(keys, e + 48u);
    for (var i = 0u; i < queries; i++) {
      let at = start(rows, first + i, head);
      var total = totals[i];
      add_block(&total, query_at(at, e, lane), w0);
      add_block(&total, query_at(at, e + 16u, lane), w1);
      add_block(&total, query_at(at, e + 32u, lane), w2);
      add_block(&total, query_at(at, e + 48u, lane), w3);
      totals[i] = total;
    }
  }
  for (var i = 0u; i < queries; i++) {
    let total = totals[i];
    let p = place(batch, first + i, head);
    store(p, a, total.a);
    store(p, b, total.b);
    store(p, c, total.c);
    store(p, d, total.d);
  }
}
