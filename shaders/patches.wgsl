// Cuts a picture into patches, each one a vector that a convolution of the same stride would multiply.
//
//   pixels [rows, 3, size, size]   y [rows, (size / patch)^2, 3 patch^2], channel, row, column within the patch
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, size: u32, patch_side: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> pixels: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let area = params.patch_side * params.patch_side;
  let side = params.size / params.patch_side;
  let element = i % (3u * area);
  let patch_index = i / (3u * area) % (side * side);
  let row = i / (3u * params.size * params.size);
  let channel = element / area;
  let py = patch_index / side * params.patch_side + element % area / params.patch_side;
  let px = patch_index % side * params.patch_side + element % params.patch_side;
  y[i] = pixels[((row * 3u + channel) * params.size + py) * params.size + px];
}
