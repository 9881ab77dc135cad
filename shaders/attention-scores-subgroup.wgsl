// Attention scores for software adapters: y = scale q k^T per head, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 16 queries times 4 SG sources (lib/tile.wgsl). Where all rows share their
// keys (`batches` is 1), the queries of all rows are one long list.
//
// use lib/tile.wgsl
// use lib/scores-frame.wgsl
// use lib/grid.wgsl

override SG: u32;
override RAGGED: bool;

struct Params {
  q_rows: u32, k_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// One element of four neighbouring sources; beyond the head's end it meets a zero.
fn columns(at: vec4u, element: u32) -> vec4f {
  let d = within(element);
  return vec4f(k[at.x + d], k[at.y + d], k[at.z + d], k[at.w + d]);
}

// SG elements of a head from d on. Beyond its end the queries are zero.
fn step(block: ptr<function, Tile>, starts: Starts, keys: vec4u, d: u32, lane: u32) {
  let mine = within(d + lane);
  var a = Rows(
    vec4f(q[starts.a.x + mine], q[starts.a.y + mine], q[starts.a.z + mine], q[starts.a.w + mine]),
    vec4f(q[starts.b.x + mine], q[starts.b.y + mine], q[starts.b.z + mine], q[starts.b.w + mine]),
    vec4f(q[starts.c.x + mine], q[starts.c.y + mine], q[starts.c.z + mine], q[starts.c.w + mine]),
    vec4f(q[starts.d.x + mine], q[starts.d.y + mine], q[starts.d.z + mine], q[starts.d.w + mine]),
  );
  if (RAGGED) {
    let inside = select(0.0, 1.0, d + lane < params.dim);
    a = Rows(a.a * inside, a.b * inside, a.c * inside, a.d * inside);
  }
  accumulate_0(block, a, columns(keys, d + 0u));
  accumulate_1(block, a, columns(keys, d + 1u));
  accumulate_2(block, a, columns(keys, d + 2u));
  accumulate_3(block, a, columns(keys, d + 3u));
  if (SG > 4u) {
    accumulate_4(block, a, columns(keys, d + 4u));
    accumulate_5(block, a, columns(keys, d + 5u));
    accumulate_6(block, a, columns(keys, d + 6u));
    accumulate_7(block, a, columns(keys, d + 7u));
  }
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + ROWS - 1u) / ROWS;
  let source_tiles = (params.sources + 4u * SG - 1u) / (4u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * source_tiles * params.heads * params.batches) { return; }
  let query = ROWS * (tile % query_tiles);
  let sources = clamped(4u * (tile / query_tiles % source_tiles * SG + lane));
  let head = tile / query_tiles / source_tiles % params.heads;
  let batch = tile / query_tiles / source_tiles / params.heads;
  let first = row_of(batch, params.q_rows) * params.tokens;
  let own = row_of(batch, params.k_rows);
  let keys = keys_of(own, sources, head);
  let starts = Starts(
    vec4u(start(first, query + 0u, head), start(first, query + 1u, head), start(first, query + 2u, head), start(first, query + 3u, head)),
    vec4u(start(first, query + 4u, head), start(first, query + 5u, head), start(first, query + 6u, head), start(first, query + 7u, head)),
    vec4u(start(first, query + 8u, head), start(first, query + 9u, head), start(first, query + 10u, head), start(first, query + 11u, head)),
    vec4u(start(first, query + 12u, head), start(first, query + 13u, head), start(first, query + 14u, head), start(first, query + 15u, head)),
  );
  var total = Tile();
  for (var k = 0u; k < params.dim; k += K_BLOCK) {
    var block = Tile();
    if (SG < 8u) { // no slower than written out, and compiled in half the time
      for (var s = 0u; s < K_BLOCK; s += SG) { step(&block, starts, keys, k + s, lane); }
    } else {
      step(&block, starts, keys, k, lane);
      step(&block, starts, keys, k + SG, lane);
    }
    add_block(&total, &block);
  }
  store(batch, query + 0u, head, sources, total.r0);
  store(batch, query + 1u, head, sources, total.r1);
  store(batch, query + 2u, head, sources, total.r2);
  store(batch, query + 3u, head, sources, total.r3);
  store(batch, query + 4u, head, sources, total.r4);
  store(batch, query + 5u, head, sources, total.r5);
  store(batch, query + 6u, head, sources, total.r6);
  store(batch, query + 7u, head, sources, total.r7);
  store(batch, query + 8u, head, sources, total.r8);
  store(batch, query + 9u, head, sources, total.r9);
  store(batch, query + 10u, head, sources, total.r10);
  store(batch, query + 11u, head, sources, total.r11);
  store(batch, query + 12u, head, sources, total.r12);
  store(batch, query + 13u, head, sources, total.r13);
  store(batch, query + 14u, head, sources, total.r14);
  store(batch, query + 15u, head, sources, total.r15);
}
