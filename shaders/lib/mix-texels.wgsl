// Values of attention mixes in a texture. The kernel says how it is read: sampled.wgsl, stored.wgsl.
//
// use lib/texels.wgsl
// use lib/mix-frame.wgsl

@group(0) @binding(1) var v: Texels;

fn value(i: u32) -> vec4f { return texel(v, i); }
