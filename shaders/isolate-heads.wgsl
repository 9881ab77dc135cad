// Each head's context alone: y[r, h, t] = z[r, t] with all heads but h set to zero
//
//   z [rows, tokens, heads, dim]   y [rows, heads, tokens, heads, dim]
//
// The output projection of y is what each head adds to the residual stream.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, tokens: u32, heads: u32, dim: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> z: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let width = params.heads * params.dim;
  let within = i % width;
  let token = i / width % params.tokens;
  let head = i / width / params.tokens % params.heads;
  let row = i / width / params.tokens / params.heads;
  y[i] = select(0.0, z[(row * params.tokens + token) * width + within], within / params.dim == head);
}
