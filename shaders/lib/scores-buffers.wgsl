// Queries and keys of attention scores in buffers.
//
// use lib/scores-frame.wgsl

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;

fn key(i: u32) -> vec4f { return k[i]; }
