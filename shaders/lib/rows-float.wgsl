// Weights in float32, four neighbouring inputs of an output to a texel. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl

const TEXEL_INPUTS = 4u;

fn inputs(at: vec2u, output: u32) -> vec4f { return bitcast<vec4f>(load(weight, vec2u(at.x, at.y + output))); }

// The weights of four outputs for four inputs, one input a column.
fn four(place: vec2u, k: u32) -> mat4x4f {
  let at = texel_at(place, k);
  return transpose(mat4x4f(inputs(at, 0u), inputs(at, 1u), inputs(at, 2u), inputs(at, 3u)));
}
