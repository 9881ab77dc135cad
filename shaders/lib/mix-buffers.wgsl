// Values of attention mixes in a buffer.
//
// use lib/mix-frame.wgsl

@group(0) @binding(1) var<storage, read> v: array<vec4f>;

fn value(i: u32) -> vec4f { return v[i]; }
