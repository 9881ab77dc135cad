// Weights in float32, four neighbouring inputs of an output to a texel. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl

fn row_texels() -> u32 { return (params.k + 3u) / 4u; }

// The texel with input k of a lane's first output.
fn texel_at(place: vec2u, k: u32) -> vec2u { return vec2u(place.x + within(k) / 4u, place.y); }

fn inputs(at: vec2u, output: u32) -> vec4f { return bitcast<vec4f>(textureLoad(weight, vec2u(at.x, at.y + output), 0)); }
