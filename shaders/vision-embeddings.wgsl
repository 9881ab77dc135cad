// What enters the vision tower: y[0] = class + position[0],  y[1 + p] = patch[p] + position[1 + p]
//
//   patches [rows, tokens - 1, width]   class_embedding [width]   position [tokens, width]   y [rows, tokens, width]
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, tokens: u32, width: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> patches: array<f32>;
@group(0) @binding(1) var<storage, read> class_embedding: array<f32>;
@group(0) @binding(2) var<storage, read> position: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let column = i % params.width;
  let token = i / params.width % params.tokens;
  let row = i / params.width / params.tokens;
  var value = class_embedding[column];
  if (token > 0u) { value = patches[(row * (params.tokens - 1u) + token - 1u) * params.width + column]; }
  y[i] = value + position[token * params.width + column];
}
