// Queries and keys of attention scores in textures. The kernel says how these are read: sampled.wgsl, stored.wgsl.
//
// use lib/texels.wgsl
// use lib/scores-frame.wgsl

@group(0) @binding(0) var q: Texels;
@group(0) @binding(1) var k: Texels;

fn key(i: u32) -> vec4f { return texel(k, i); }
