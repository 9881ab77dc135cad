// Mixes the values by attention probability, for GPUs: z = probs v per head
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One invocation an element; neighbouring invocations read neighbouring values. The sum has two levels, blocks of
// 16 sources and the total.
//
// use lib/memory.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params {
  count: u32, p_rows: u32, v_rows: u32, tokens: u32, sources: u32, prefix: u32, heads: u32, group: u32, dim: u32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> probs: array<f32>;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let d = i % params.dim;
  let head = i / params.dim % params.heads;
  let token = i / params.dim / params.heads % params.tokens;
  let row = i / params.dim / params.heads / params.tokens;
  let p = ((row_of(row, params.p_rows) * params.heads + head) * params.tokens + token) * params.sources;
  let own = row_of(row, params.v_rows);
  var total = 0.0;
  var block = 0.0;
  for (var s = 0u; s < params.sources; s++) {
    block = fma(probs[p + s], v[memory_of(own, s, head) + d], block);
    if (s % 16u == 15u) {
      total += block;
      block = 0.0;
    }
  }
  z[i] = total + block;
}
