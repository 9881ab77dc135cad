// Attention scores for GPUs: y = scale q k^T per head, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One invocation a score; neighbouring invocations share their query.
//
// use lib/memory.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params {
  count: u32, q_rows: u32, k_rows: u32, tokens: u32, sources: u32, prefix: u32,
  heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let source = i % params.sources;
  let token = i / params.sources % params.tokens;
  let head = i / params.sources / params.tokens % params.heads;
  let row = i / params.sources / params.tokens / params.heads;
  let query = ((row_of(row, params.q_rows) * params.tokens + token) * params.heads + head) * params.dim;
  let key = memory_of(row_of(row, params.k_rows), source, head);
  var parts = vec4f();
  for (var d = 0u; d < params.dim; d += 4u) {
    let a = vec4f(q[query + d], q[query + d + 1u], q[query + d + 2u], q[query + d + 3u]);
    let b = vec4f(k[key + d], k[key + d + 1u], k[key + d + 2u], k[key + d + 3u]);
    parts = fma(a, b, parts);
  }
  let score = ((parts.x + parts.y) + (parts.z + parts.w)) * params.scale;
  let hidden = params.causal != 0u && source + params.tokens > token + params.sources;
  y[i] = select(score, params.minus_infinity, hidden);
}
