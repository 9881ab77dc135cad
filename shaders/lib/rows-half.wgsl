// Weights in float16, eight neighbouring inputs of an output to a texel, two to a word. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl
// use lib/half.wgsl

const TEXEL_INPUTS = 8u;

fn inputs(at: vec2u, output: u32) -> vec4u { return load(weight, vec2u(at.x, at.y + output)); }

// The weights of four outputs for eight inputs, one input a column.
struct Eight { near: mat4x4f, far: mat4x4f, }

fn in_turn(words: vec4u, swapped: bool) -> vec4u { return select(words, words.zwxy, swapped); }

// Of two words of each output: four inputs.
fn open_words(a: vec2u, b: vec2u, c: vec2u, d: vec2u) -> mat4x4f {
  return transpose(mat4x4f(
    vec4f(open_half(a.x), open_half(a.y)), vec4f(open_half(b.x), open_half(b.y)),
    vec4f(open_half(c.x), open_half(c.y)), vec4f(open_half(d.x), open_half(d.y)),
  ));
}

// `swapped`: the last four inputs are the near ones.
fn eight(place: vec2u, k: u32, swapped: bool) -> Eight {
  let at = texel_at(place, k);
  let a = in_turn(inputs(at, 0u), swapped);
  let b = in_turn(inputs(at, 1u), swapped);
  let c = in_turn(inputs(at, 2u), swapped);
  let d = in_turn(inputs(at, 3u), swapped);
  return Eight(open_words(a.xy, b.xy, c.xy, d.xy), open_words(a.zw, b.zw, c.zw, d.zw));
}
