// Lays a weight matrix out as a texture whose texel holds four neighbouring outputs of one input (or of two, or eight):
//
//   words [rows, row_words] of N   texel (x, y) = words[4x .. 4x+3, y], 0 beyond the last row
//
// A float32 is one word, two float16 or eight NF4 codes are one word. A texel fetch costs about as much as one buffer
// load and brings four values, which is what the matrix product on software adapters is limited by. The matrix comes in
// pieces of whole rows, four at a time.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, row_words: u32, rows: u32, first_texel: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var texels: texture_storage_2d<rgba32uint, write>;

fn word(row: u32, column: u32) -> u32 {
  return select(0u, words[row * params.row_words + column], row < params.rows);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let y = i % params.row_words;
  let x = i / params.row_words;
  let texel = vec4u(word(4u * x, y), word(4u * x + 1u, y), word(4u * x + 2u, y), word(4u * x + 3u, y));
  textureStore(texels, vec2u(params.first_texel + x, y), texel);
}
