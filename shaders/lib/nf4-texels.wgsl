// NF4 weights (nf4.wgsl) in a texture (weight-texture.wgsl): a texel holds a word of each of four neighbouring outputs.
// RAGGED: rows begin within blocks. A block of scales holds for all inputs that a kernel takes at a time, and these begin
// with a word of codes. The kernel brings `level`.
//
// use lib/nf4.wgsl

fn place_of(texel: u32) -> vec2u { return vec2u(texel, 0u); }

// The codes of eight inputs from k on, the first in the low bits.
fn code_texel(place: vec2u, k: u32) -> vec4u {
  return load(weight, vec2u(place.x, nf4_word(within(k))));
}

fn scale_texel(place: vec2u, output: u32, k: u32) -> vec4f {
  let block = nf4_block(params.k, 4u * place.x + output, within(k));
  let words = load(weight, vec2u(place.x, nf4_scale_word(params.k, block)));
  return vec4f(nf4_scale(words.x, block), nf4_scale(words.y, block), nf4_scale(words.z, block), nf4_scale(words.w, block));
}

// Scales of four neighbouring outputs for input k: one texel, unless the outputs' rows begin within blocks.
fn scales(place: vec2u, k: u32) -> vec4f {
  let first = scale_texel(place, 0u, k);
  if (!RAGGED) { return first; }
  return vec4f(first.x, scale_texel(place, 1u, k).y, scale_texel(place, 2u, k).z, scale_texel(place, 3u, k).w);
}

// The weights of four neighbouring outputs for input k by the lowest four bits of their codes; `block` are the scales
// where rows begin with a block.
fn columns(codes: vec4u, place: vec2u, k: u32, block: vec4f) -> vec4f {
  let code = codes & vec4u(15u);
  let levels = vec4f(level(code.x), level(code.y), level(code.z), level(code.w));
  if (!RAGGED) { return levels * block; }
  return levels * scales(place, k);
}

// Four inputs from k on, one a column, whose codes are the lowest bits up.
fn four(codes: vec4u, place: vec2u, k: u32, block: vec4f) -> mat4x4f {
  return mat4x4f(
    columns(codes, place, k, block), columns(codes >> vec4u(4u), place, k + 1u, block),
    columns(codes >> vec4u(8u), place, k + 2u, block), columns(codes >> vec4u(12u), place, k + 3u, block),
  );
}
