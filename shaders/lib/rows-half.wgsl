// Weights in float16, eight neighbouring inputs of an output to a texel, two to a word. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl
// use lib/half.wgsl

fn row_texels() -> u32 { return (params.k + 7u) / 8u; }

// The texel with input k of a lane's first output.
fn texel_at(place: vec2u, k: u32) -> vec2u { return vec2u(place.x + within(k) / 8u, place.y); }

fn inputs(at: vec2u, output: u32) -> vec4u { return textureLoad(weight, vec2u(at.x, at.y + output), 0); }
