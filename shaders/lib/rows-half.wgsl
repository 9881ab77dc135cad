// Weights in float16, eight neighbouring inputs of an output to a texel, two to a word. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl
// use lib/half.wgsl

const TEXEL_INPUTS = 8u;

fn inputs(at: vec2u, output: u32) -> vec4u { return textureLoad(weight, vec2u(at.x, at.y + output), 0); }
