// Weights in float32, four neighbouring inputs of an output to a texel. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl

const TEXEL_INPUTS = 4u;

fn inputs(at: vec2u, output: u32) -> vec4f { return bitcast<vec4f>(textureLoad(weight, vec2u(at.x, at.y + output), 0)); }
